"""What the traffic says of the contract, on its page and in the API: what `soapsvc contract learn` says, for less."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.learning import raw_pushes
from soapsvc.serving import learner
from soapsvc.serving.contract_page import contract_in_force
from soapsvc.serving.learner import PageLearner
from soapsvc.settings import OwnSettings
from soapsvc.shipped import SAMPLES, WSDL_FILE
from soapsvc.web.admin_app import admin_app
from soapsvc.web.desk import Desk
from soapsvc.web.learned_record import Learning, LearningState
from tests.commands import soapsvc
from tests.inbox.making import STRICT, arrival, push, refused
from tests.pushing import Service, envelope, get, post, running_service
from tests.web.looking import CONTRACT, Page

JSON = {"Content-Type": "application/json"}
PATH = "/api/v1/contract/learned"
_WSDL = WsdlDocument.load(WSDL_FILE)


def ended(look: Any) -> Any:
    """What is told when it is not under way any more."""
    end = time.monotonic() + 60
    while True:
        told = look()
        if told not in ("under_way", LearningState.UNDER_WAY):
            return told
        assert time.monotonic() < end, "it is under way for a minute"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Observing, with two pushes that deviate, one that does not, and one that is not XML."""
    with running_service(tmp_path_factory.mktemp("learned"), settings='conformance = "observe"\n') as running:
        for n in (1, 2):
            message = envelope(n).replace(b"<SubmitId>", b"<Remote\xc3\xa9>&lt;b&gt;</Remote\xc3\xa9><SubmitId>")
            assert post(running.url, message.replace(b"<MRN>", b"<MRN>A-")).acknowledged
        assert post(running.url, (SAMPLES / "sampleReport.xml").read_bytes()).acknowledged
        post(running.url, b"no XML")
        yield running


def learned(service: Service) -> dict[str, Any]:
    assert post(service.admin_url + PATH, b"{}", JSON).status == 200
    ended(lambda: json.loads(get(service.admin_url + PATH).body)["state"])
    told: dict[str, Any] = json.loads(get(service.admin_url + PATH).body)
    return told


def test_the_api_tells_what_the_command_tells(service: Service, tmp_path: Path) -> None:
    told = learned(service)
    out = tmp_path / "proposed.wsdl"
    command = json.loads(soapsvc("contract", "learn", "--inbox", service.inbox, "--json", "--out", str(out)).stdout)
    command["contract"]["file"] = Path(command["contract"]["file"]).name
    assert (told["state"], told["why"], told["proposed"]) == ("done", None, True)
    assert told["learned"] == command
    assert {one["outcome"] for one in command["constructs"]} == {"confirmed", "contradicted", "untouched"}
    assert get(f"{service.admin_url}{PATH}/proposal").body == out.read_bytes()


def test_the_page_links_each_construct_to_the_pushes_that_show_it(service: Service) -> None:
    told = learned(service)["learned"]
    page = get(f"{service.admin_url}/contract/learned", {"Accept": "text/html"}).body.decode()
    for one in told["constructs"]:
        assert one["where"] in page
        for push_id in one["pushes"]:
            assert f'href="/pushes/{push_id}"' in page
            assert get(f"{service.admin_url}/pushes/{push_id}").status == 200
    assert "3 pushes; 1 left out" in page
    assert f'href="{PATH}/proposal"' in page
    assert "Remoteé" in page
    assert "<del>" in page
    assert "1 contradicted" not in get(f"{service.admin_url}/contract").body.decode()  # MRN, and who holds the unknown
    assert "contradicted, " in get(f"{service.admin_url}/contract").body.decode()


def test_it_looks_again_only_when_something_came(service: Service) -> None:
    first = learned(service)
    assert learned(service)["asked_at"] == first["asked_at"]
    assert post(service.url, envelope(77)).acknowledged
    page = get(f"{service.admin_url}/contract/learned").body.decode()
    assert "More came in since." in page
    assert 'id="learn"' in page
    again = learned(service)
    assert again["asked_at"] > first["asked_at"]
    assert again["learned"]["pushes"] == first["learned"]["pushes"] + 1
    assert 'id="learn"' not in get(f"{service.admin_url}/contract/learned").body.decode()


# Without a service ----------------------------------------------------------------------------------------------------


@pytest.fixture
def of_store(store: SqlStore, inbox_file: Path) -> Iterator[PageLearner]:
    one = PageLearner(OwnSettings(inbox=f"sqlite:///{inbox_file}"), _WSDL.sha256, store)
    yield one
    one.close()


def page_client(store: SqlStore, one: Any) -> FlaskClient:
    desk = Desk(contract=contract_in_force(_WSDL, _WSDL), learner=one)
    return admin_app(OwnSettings(), store, CONTRACT, desk).test_client()


def test_nobody_learns_before_somebody_asks(store: SqlStore, of_store: PageLearner) -> None:
    client = page_client(store, of_store)
    page = Page(client.get("/contract/learned"))
    assert "Nobody has asked yet" in page.text
    assert "hold the marks against what came in" in Page(client.get("/contract")).text
    assert client.get(f"{PATH}/proposal").status_code == 404
    assert client.post("/contract/learned").status_code == 403, "a change without the form's token"
    assert of_store.look().state is LearningState.UNASKED


def test_an_empty_inbox_touches_nothing(store: SqlStore, of_store: PageLearner) -> None:
    of_store.ask()
    assert ended(lambda: of_store.look().state) is LearningState.DONE
    page = Page(page_client(store, of_store).get("/contract/learned"))
    assert "0 pushes" in page.texts_of("dd")[0]
    assert "0 contradicted, 0 confirmed" in page.text
    assert "it needs no edit" not in page.text


def test_who_takes_too_long_is_ended_and_the_page_says_so(
    store: SqlStore, of_store: PageLearner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learner, "WALL_SECONDS", 0.0)
    of_store.ask()
    assert ended(lambda: of_store.look().state) is LearningState.FAILED
    page = Page(page_client(store, of_store).get("/contract/learned"))
    assert "It took too long" in page.text
    assert "Look again" in page.text


def test_a_file_that_is_another_by_now_is_not_learned_of(store: SqlStore, inbox_file: Path) -> None:
    one = PageLearner(OwnSettings(inbox=f"sqlite:///{inbox_file}"), "0" * 64, store)
    one.ask()
    assert ended(lambda: one.look().state) is LearningState.FAILED
    assert "is another file than when the service was started" in str(one.look().why)
    one.close()


def test_closing_ends_what_is_under_way(store: SqlStore, of_store: PageLearner) -> None:
    of_store.ask()
    of_store.close()
    assert of_store.look().state in (LearningState.FAILED, LearningState.DONE)
    assert of_store.ask() == of_store.look(), "nothing begins after that"


def test_markup_in_what_was_learned_is_text(store: SqlStore) -> None:
    markup = "<script>owned=1</script>"
    told = {
        "contract": {"file": "x", "sha256": "0" * 64}, "pushes": 1, "left_out": 0,
        "constructs": [{"where": markup, "line": 1, "mark": "INFERRED", "outcome": "contradicted", "pushes": ["a" * 20],
                        "count": 9, "deviations": [{"rule": "XSD-004", "path": markup, "count": 1}]}],
        "edits": [{"where": markup, "line": None, "what": markup, "rule": "XSD-004", "pushes": ["a" * 20], "count": 9}],
        "left": [{"id": "a" * 20, "rule": "XSD-004", "path": markup}],
    }  # fmt: skip

    class Told:
        def look(self) -> Learning:
            return Learning(LearningState.DONE, 1000, arrival().received_at, None, told, b"<x/>", (f"+{markup}",))

        ask = look

    page = Page(page_client(store, Told()).get("/contract/learned"))
    assert page.text.count(markup) == 6
    assert [attributes for tag, attributes in page.elements if tag == "script" and "nonce" not in attributes] == []


def test_the_newest_pushes_alone_are_looked_at(store: SqlStore) -> None:
    ids = [store.accept(push(n, arrival=arrival(n)), STRICT).id for n in range(3)]
    last = store.quarantine(refused(b"<junk/>" * 100, seconds=9))
    assert [one.id for one in raw_pushes(store)] == [*ids, last]
    assert [one.id for one in raw_pushes(store, 2)] == [ids[2], last]
    small = store.stored(ids[2]).row.raw_bytes
    assert [one.id for one in raw_pushes(store, 9, 700 + small)] == [ids[2], last]
    assert [one.id for one in raw_pushes(store, 9, 699)] == []
