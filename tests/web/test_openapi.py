"""The API as its OpenAPI document describes it: complete, and kept to by every answer, whatever is asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask import template_rendered
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from werkzeug.test import TestResponse

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.delivery.routes import routes
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.inbox.exchange_log import ExchangeLog, Kept
from soapsvc.inbox.indexer import Indexer
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
_ENTRIES = tuple(
    DeliverySettings(name=name, target=target)
    for name, target in (("archive", "file:///srv/reports"), ("desk", "lease:"))
)
_ASKED = "what was asked for, or how it looks"
_PUSH, _EXCHANGE, _LEARNED = "/pushes/{push_id}", "/exchanges/{n}", "/contract/learned"
TOLD_BY = {  # of each page, what its template is given: which resource of the API tells it
    "inbox.html": {
        "rows": "/pushes", "older": "/pushes", "stats": "/stats", "push_url": "/service", "facets": "/facets",
        "newest": "/events", **dict.fromkeys(("asked", "filters", "filter_links", "kinds", "states"), _ASKED),
    },
    "push.html": {
        "stored": _PUSH, "row": _PUSH, "doubted": _PUSH, "deliveries": _PUSH, "rules": "/rules",
        "excerpts": f"{_PUSH}/raw/lines", "previews": f"{_PUSH}/documents/{{n}}/preview", "exchanges": "/service",
        "may_judge": "/service", "targets": "/targets", "notes": "/targets",
        **dict.fromkeys(("said", "page_limit", "most_deviations", "delivery_badges"), _ASKED),
    },
    "raw.html": {"stored": _PUSH, "row": _PUSH, "named": _PUSH, "shown": f"{_PUSH}/raw/lines", "views": _ASKED},
    "rules.html": {"rules": "/rules", "stages": "/rules"},
    "wire.html": {
        "exchanges": "/exchanges", "older": "/exchanges", "kept": "/service",
        **dict.fromkeys(("asked", "outcomes", "before"), _ASKED),
    },
    "exchange.html": {
        **dict.fromkeys(("one", "request_headers", "answer_headers", "answer", "curl"), _EXCHANGE),
        "shown": f"{_EXCHANGE}/lines", "views": _ASKED,
    },
    "overview.html": {
        **dict.fromkeys(("one", "days", "pushes", "sizes", "times"), "/overview"), "rules": "/rules",
        "kept": "/service", "targets": "/targets", "stays": "/retention", "slot": _ASKED,
    },
    "target.html": {"target": "/targets/{name}", "said": _ASKED},
    "contract.html": {
        "contract": "/contract", "files": "/contract", "public_url": "/service", "learning": _LEARNED, "outcomes": _LEARNED,
    },
    "learned.html": {
        "contract": "/contract", "learning": _LEARNED, "outcomes": _LEARNED, "newest": "/events", "rules": "/rules",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    folder = tmp_path_factory.mktemp("api")
    for open_inbox in opening(f"sqlite:///{folder / 'inbox.db'}"):
        store = open_inbox(route=routes(_ENTRIES))
        ids = [store.accept(push(n, arrival=arrival(n)), STRICT).id for n in range(3)]
        store.accept(replace(push(1), arrival=arrival(9)), STRICT)
        store.quarantine(refused(b"<junk/>", read=push(7)))
        index = store.search_index()
        Indexer(store, index, 1000).catch_up()
        log = ExchangeLog(folder / "wire", Kept(10, 10_000))
        log.start()
        told = exchange(push_id=ids[0])
        log.note(lambda told=told: told, ordinary=False)
        log.close()
        learner = PageLearner(OwnSettings(inbox=f"sqlite:///{folder / 'inbox.db'}"), _WSDL.sha256, store)
        desk = Desk(index, log, contract_in_force(_WSDL, _WSDL), learner,
                    lambda push_id: JudgedAgain(push_id, "accepted"))  # fmt: skip
        yield admin_app(OwnSettings(delivery=_ENTRIES), store, CONTRACT, desk)
        learner.close()


def test_every_route_of_the_api_is_described(app) -> None:
    document = app.test_client().get(f"{PREFIX}/openapi.json").json
    assert document["openapi"] == "3.1.0"
    there = {rule.rule.replace("<path:", "<") for rule in app.url_map.iter_rules() if rule.rule.startswith(PREFIX)}
    assert {path.replace("{", "<").replace("}", ">") for path in document["paths"]} == there
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_resource_stands_in_the_docs(app, checkout: Path) -> None:
    told = (checkout / "docs" / "pages.md").read_text("utf-8").partition("## The API")[2]
    document = app.test_client().get(f"{PREFIX}/openapi.json").json
    looking, changing = told.split("| `POST` below")
    short = {"{push_id}": "ID", "{n}": "N", "{page}": "PAGE", "{name}": "NAME"}
    for path, methods in document["paths"].items():
        for name, letters in short.items():
            path = path.replace(name, letters)
        for method in methods:
            written = rf"`{re.escape(path.removeprefix(PREFIX))}[`?]"
            assert re.search(written, looking if method == "get" else changing), (method, path)


def test_whatever_a_page_is_made_of_is_told_by_the_api(app) -> None:
    client = app.test_client()
    document = client.get(f"{PREFIX}/openapi.json").json
    push_id = client.get(f"{PREFIX}/pushes?state=accepted&limit=1").json["pushes"][0]["id"]
    n = client.get(f"{PREFIX}/exchanges").json["exchanges"][0]["n"]
    made: dict[str, set[str]] = {}

    def note(_: object, template: Any, context: dict[str, Any], **more: object) -> None:
        made[template.name] = set(context) - {"g", "request", "session"}

    beside = {"/healthz", "/readyz", "/metrics", "/login"}
    pages = {rule.rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ())} - beside
    with template_rendered.connected_to(note, app):
        for path in pages:
            if not path.startswith((PREFIX, "/static/")):
                path = path.replace("<push_id>", push_id).replace("<n>", str(n)).replace("<name>", "archive")
                assert client.get(path).status_code == 200, path
    assert made == {template: set(told) for template, told in TOLD_BY.items()}
    for told in TOLD_BY.values():
        for resource in set(told.values()) - {_ASKED}:
            assert "get" in document["paths"][PREFIX + resource]


def test_whatever_a_page_does_is_done_by_the_api(app) -> None:
    posts = {rule.rule for rule in app.url_map.iter_rules() if "POST" in (rule.methods or ())}
    of_pages = {path for path in posts if not path.startswith(PREFIX)} - {"/login", "/logout"}
    assert {PREFIX + path for path in of_pages} <= posts
    assert len(of_pages) == 9


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
        (f"/pushes/{rows[0]['id']}/raw/lines", "/pushes/{push_id}/raw/lines"),
        (f"/pushes/{rows[1]['id']}/raw/lines?view=pretty", "/pushes/{push_id}/raw/lines"),
        (f"/pushes/{rows[1]['id']}/raw/lines?view=hex", "/pushes/{push_id}/raw/lines"),
        (f"/pushes/{rows[1]['id']}/documents/1/preview?sort=-1", "/pushes/{push_id}/documents/{n}/preview"),
        (f"/exchanges/{n}", "/exchanges/{n}"),
        (f"/exchanges/{n}/lines", "/exchanges/{n}/lines"),
        (f"/exchanges/{n}/har", "/exchanges/{n}/har"),
        ("/overview?days=30", "/overview"),
        ("/contract", "/contract"),
        ("/contract/learned", "/contract/learned"),
        ("/stats", "/stats"),
        ("/facets", "/facets"),
        ("/rules", "/rules"),
        ("/service", "/service"),
        ("/retention", "/retention"),
        ("/targets", "/targets"),
        ("/targets/archive", "/targets/{name}"),
    ):
        held(document, described, "get", client.get(PREFIX + path))
    assert Path(WSDL_FILE).read_bytes() == client.get(f"{PREFIX}/contract/files/{WSDL_FILE.name}").data


def test_each_action_gives_what_is_described(app) -> None:
    client = app.test_client()
    document = client.get(f"{PREFIX}/openapi.json").json
    accepted = client.get(f"{PREFIX}/pushes?state=accepted&limit=1").json["pushes"][0]["id"]
    for path, described in (
        (f"/pushes/{accepted}/reprocess", f"{_PUSH}/reprocess"),
        (f"/pushes/{accepted}/hold?reason=asked%20for", f"{_PUSH}/hold"),
        (f"/pushes/{accepted}/release", f"{_PUSH}/release"),
        (f"/pushes/{accepted}/requeue", f"{_PUSH}/requeue"),
        (f"/pushes/{accepted}/requeue?target=archive", f"{_PUSH}/requeue"),
        ("/targets/archive/pause", "/targets/{name}/pause"),
        ("/targets/archive/resume", "/targets/{name}/resume"),
        ("/targets/archive/requeue", "/targets/{name}/requeue"),
        ("/targets/archive/cancel", "/targets/{name}/cancel"),
    ):
        held(document, described, "post", client.post(PREFIX + path, json={}))


def held(document: dict[str, Any], described: str, method: str, answer: TestResponse) -> None:
    """The answer against what the document says of it."""
    assert answer.status_code == 200, answer.text
    content = document["paths"][PREFIX + described][method]["responses"]["200"]["content"]
    Draft202012Validator(content["application/json"]["schema"] | {"components": document["components"]}).validate(
        answer.json
    )
