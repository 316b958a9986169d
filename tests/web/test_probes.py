"""/healthz, /readyz and /metrics: what supervisors and Prometheus ask."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from soapsvc.inbox.outbox_writes import Settlement
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.states import Move
from tests.inbox.conftest import opening
from tests.inbox.making import NOON, STRICT, arrival, document_of, push, refused
from tests.inbox.outbox_promises import claimed, delivered
from tests.web.looking import CONTRACT, client_of

EVERY_BYTE_THERE_IS = 2**62


def figures(client: FlaskClient) -> Mapping[str, float]:
    """Each sample of /metrics, as name{label="value"} to its value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=0.0.4")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(answer.text):
        assert family.documentation.endswith(".")
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def test_a_process_that_answers_is_well(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "well\n", "text/plain")


def test_a_receiver_whose_store_takes_writes_is_ready(client: FlaskClient) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json["ready"]) == (200, True)
    assert answer.json["store"] == {"ready": True}
    assert answer.json["disk"]["ready"]
    assert answer.json["disk"]["free_bytes"] > answer.json["disk"]["min_free_bytes"]


def test_readiness_tells_the_contract_in_force(store: SqlStore) -> None:
    contract = client_of(store, conformance="observe").get("/readyz").json["contract"]
    assert contract == {"ready": True, "sha256": CONTRACT, "conformance": "observe"}


def test_asking_for_readiness_leaves_nothing_in_the_inbox(client: FlaskClient) -> None:
    for _ in range(3):
        client.get("/readyz")
    assert client.get("/api/v1/pushes").json["pushes"] == []


def test_a_store_that_somebody_else_holds_is_not_ready_and_says_why_until_it_is_let_go(
    client: FlaskClient, inbox_file: Path
) -> None:
    with closing(sqlite3.connect(inbox_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = client.get("/readyz")
        assert client.get("/healthz").status_code == 200
    assert (answer.status_code, answer.json["ready"], answer.json["store"]["ready"]) == (503, False, False)
    assert answer.json["store"]["why"].startswith("The inbox is busy")
    assert answer.json["contract"]["sha256"] == CONTRACT
    assert client.get("/readyz").status_code == 200


def test_a_store_whose_file_is_gone_is_not_ready_and_says_why(client: FlaskClient, inbox_file: Path) -> None:
    for file in inbox_file.parent.glob("inbox.db*"):
        shutil.rmtree(file) if file.is_dir() else file.unlink()
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["store"]["why"].startswith("The inbox")
    assert client.get("/healthz").status_code == 200


def test_a_store_whose_folder_is_gone_is_not_ready_and_says_why(client: FlaskClient, inbox_file: Path) -> None:
    shutil.rmtree(inbox_file.parent)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json["store"]["why"]
    assert answer.json["disk"]["why"] == "The inbox cannot be used just now."
    assert answer.json["disk"]["free_bytes"] is None


def test_a_disk_with_too_little_room_is_not_ready_and_says_why(store: SqlStore) -> None:
    answer = client_of(store, min_free_bytes=EVERY_BYTE_THERE_IS).get("/readyz")
    assert (answer.status_code, answer.json["ready"]) == (503, False)
    disk = answer.json["disk"]
    assert disk["why"] == (
        f"The inbox's disk has {disk['free_bytes']} bytes free; min_free_bytes wants {EVERY_BYTE_THERE_IS}."
    )
    assert answer.json["store"]["ready"]


@pytest.mark.parametrize("path", ["/api/v1/pushes", "/api/v1/stats", "/metrics", "/"])
def test_a_store_that_cannot_be_read_is_an_error_in_words(client: FlaskClient, inbox_file: Path, path: str) -> None:
    with closing(sqlite3.connect(inbox_file)) as other:
        other.execute("DROP TABLE pushes")
    answer = client.get(path)
    assert answer.status_code == 503
    assert json.loads(answer.data)["detail"].startswith("The inbox")
    assert "no such table" not in answer.text
    assert "SELECT" not in answer.text


def test_the_metrics_of_an_empty_inbox_are_noughts(client: FlaskClient) -> None:
    told = figures(client)
    assert told['soapsvc_inbox_pushes{state="accepted"}'] == 0
    assert told['soapsvc_inbox_pushes{state="quarantined"}'] == 0
    assert told["soapsvc_inbox_document_bytes"] == 0
    assert "soapsvc_inbox_newest_push_seconds" not in told


def test_the_metrics_count_what_came_in(client: FlaskClient, store: SqlStore) -> None:
    documents = (document_of(b"12345"), document_of(b"678", n=2))
    first = push(documents=documents)
    store.accept(first, STRICT)
    store.accept(replace(first, arrival=arrival(3)), STRICT)
    store.accept(push(documents=(document_of(b"other content"), documents[1]), arrival=arrival(5)), STRICT)
    store.quarantine(refused(b"<junk/>", seconds=60))
    told = figures(client)
    assert told['soapsvc_inbox_pushes{state="accepted"}'] == 2
    assert told['soapsvc_inbox_pushes{state="quarantined"}'] == 1
    assert told["soapsvc_inbox_redeliveries"] == 1
    assert told["soapsvc_inbox_conflicts"] == 1
    assert told["soapsvc_inbox_documents"] == 4
    assert told["soapsvc_inbox_document_bytes"] == 5 + 3 + len(b"other content") + 3
    assert told["soapsvc_inbox_quarantine_bytes"] > len(b"<junk/>")
    assert told["soapsvc_inbox_newest_push_seconds"] == NOON.timestamp() + 60
    assert told["soapsvc_inbox_free_bytes"] > 0


def test_the_metrics_are_those_of_now(client: FlaskClient, store: SqlStore) -> None:
    figures(client)
    store.accept(push(), STRICT)
    assert figures(client)['soapsvc_inbox_pushes{state="accepted"}'] == 1


def test_the_metrics_tell_how_each_target_stands(inbox_file: Path) -> None:
    for open_inbox in opening(f"sqlite:///{inbox_file}"):
        store = open_inbox(route=lambda _: ("a", "b"))
        accepted = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(3)]
        assert delivered(store) == accepted[0]
        held = claimed(store)
        store.outbox.settle(Settlement(held, Move.LAST_ATTEMPT_FAILED, NOON, "never"))
        claimed(store)
        store.outbox.pause("b")
        found = figures(client_of(store))
        states = {name: value for name, value in found.items() if name.startswith("soapsvc_deliver")}
        assert states == {
            'soapsvc_deliveries{state="pending",target="a"}': 0,
            'soapsvc_deliveries{state="forwarding",target="a"}': 1,
            'soapsvc_deliveries{state="dead",target="a"}': 1,
            'soapsvc_deliveries{state="pending",target="b"}': 3,
            'soapsvc_deliveries{state="forwarding",target="b"}': 0,
            'soapsvc_deliveries{state="dead",target="b"}': 0,
            'soapsvc_delivery_attempts_total{outcome="delivered",target="a"}': 1,
            'soapsvc_delivery_attempts_total{outcome="failed",target="a"}': 1,
            'soapsvc_delivery_attempts_total{outcome="delivered",target="b"}': 0,
            'soapsvc_delivery_attempts_total{outcome="failed",target="b"}': 0,
            'soapsvc_delivery_oldest_pending_seconds{target="a"}': NOON.timestamp() + 2,
            'soapsvc_delivery_oldest_pending_seconds{target="b"}': NOON.timestamp(),
            'soapsvc_delivery_paused{target="a"}': 0,
            'soapsvc_delivery_paused{target="b"}': 1,
        }
