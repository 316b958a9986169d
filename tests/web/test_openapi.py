"""The API as its OpenAPI document describes it: complete, and kept to by every answer, whatever is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.exchange_log import ExchangeLog, Kept
from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.search_index import SearchIndex
from soapsvc.serving.contract_page import contract_in_force
from soapsvc.serving.learner import PageLearner
from soapsvc.settings import OwnSettings
from soapsvc.shipped import WSDL_FILE
from soapsvc.web.admin_app import admin_app
from soapsvc.web.described import PREFIX
from soapsvc.web.desk import Desk, JudgedAgain
from tests.inbox.conftest import opening
from tests.inbox.making import STRICT, arrival, push, refused
from tests.inbox.test_exchange_log import exchange
from tests.web.looking import CONTRACT

EXAMPLES = int(os.environ.get("TEST_API_EXAMPLES", "2"))
SAID_IN_WORDS = {"since": "2026-11-23", "until": "2026-11-24T12:00:00Z", "source": "192.0.2.0/24"}
"""Texts whose form no JSON schema says; test_api.py holds what is wrong of them."""
_WSDL = WsdlDocument.load(WSDL_FILE)


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    folder = tmp_path_factory.mktemp("api")
    for open_inbox in opening(f"sqlite:///{folder / 'inbox.db'}"):
        store = open_inbox()
        ids = [store.accept(push(n, arrival=arrival(n)), STRICT).id for n in range(3)]
        store.accept(replace(push(1), arrival=arrival(9)), STRICT)
        store.quarantine(refused(b"<junk/>", read=push(7)))
        index = SearchIndex(store.companion("index"), store.inbox_id)
        Indexer(store, index, 1000).catch_up()
        log = ExchangeLog(folder / "wire", Kept(10, 10_000))
        log.start()
        told = exchange(push_id=ids[0])
        log.note(lambda told=told: told, ordinary=False)
        log.close()
        learner = PageLearner(OwnSettings(inbox=f"sqlite:///{folder / 'inbox.db'}"), _WSDL.sha256, store)
        desk = Desk(index, log, contract_in_force(_WSDL, _WSDL), learner,
                    lambda push_id: JudgedAgain(push_id, "accepted"))  # fmt: skip
        yield admin_app(OwnSettings(), store, CONTRACT, desk)
        learner.close()


def test_every_route_of_the_api_is_described(app) -> None:
    document = app.test_client().get(f"{PREFIX}/openapi.json").json
    assert document["openapi"] == "3.1.0"
    routes = {rule.rule.replace("<path:", "<") for rule in app.url_map.iter_rules() if rule.rule.startswith(PREFIX)}
    assert {path.replace("{", "<").replace("}", ">") for path in document["paths"]} == routes
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_parameter_that_is_described_is_read(app) -> None:
    """A value that is none of a parameter's gets 400, so nothing is described that has no effect."""
    client = app.test_client()
    document = client.get(f"{PREFIX}/openapi.json").json
    free = {"q", "account"}
    for path, methods in document["paths"].items():
        for parameter in methods.get("get", {}).get("parameters", ()):
            if parameter["in"] == "query":
                value = "x" * 501 if parameter["name"] in free else "no such value"
                answer = client.get(path, query_string={parameter["name"]: value})
                assert answer.status_code == 400, (path, parameter["name"])
                assert parameter["name"] in answer.json["detail"]


def test_every_answer_is_one_that_the_document_describes(app) -> None:
    """Valid and invalid values of each operation's parameters and body, as schemathesis makes them."""
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", app)
    tried = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in GenerationMode:

            @given(case=operation.as_strategy(generation_mode=mode))
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            def answers(case: schemathesis.Case) -> None:
                for name, value in SAID_IN_WORDS.items():
                    if isinstance(case.query, dict) and name in case.query:
                        case.query[name] = value
                case.call_and_validate()

            try:
                answers()
            except Unsatisfiable:
                continue  # there is nothing invalid to be made of an operation without parameters
            tried += 1
    assert tried >= 20


def test_an_id_of_each_thing_gives_what_is_described(app) -> None:
    """What chance does not find: the ids that are there."""
    client = app.test_client()
    document = client.get(f"{PREFIX}/openapi.json").json
    rows = client.get(f"{PREFIX}/pushes?limit=2").json["pushes"]
    n = client.get(f"{PREFIX}/exchanges").json["exchanges"][0]["n"]
    for path, described in (
        (f"/pushes/{rows[0]['id']}", "/pushes/{push_id}"),
        (f"/pushes/{rows[1]['id']}", "/pushes/{push_id}"),
        (f"/exchanges/{n}", "/exchanges/{n}"),
        (f"/exchanges/{n}/har", "/exchanges/{n}/har"),
        ("/overview?days=30", "/overview"),
        ("/contract", "/contract"),
        ("/contract/learned", "/contract/learned"),
        ("/stats", "/stats"),
    ):
        shape = document["paths"][PREFIX + described]["get"]["responses"]["200"]["content"]["application/json"][
            "schema"
        ]
        answer = client.get(PREFIX + path)
        assert answer.status_code == 200
        whole = {**shape, "components": document["components"]}
        Draft202012Validator(whole).validate(answer.json)
    assert Path(WSDL_FILE).read_bytes() == client.get(f"{PREFIX}/contract/files/{WSDL_FILE.name}").data
