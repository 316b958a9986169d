"""The objects that programs outside read: names and shapes as README.md gives them."""

from __future__ import annotations

import json

from soapsvc.inbox.json_forms import row_object, stats_object, stored_object
from tests.inbox.making import REFUSED, STRICT, OpenStore, arrival, push, refused


def test_the_object_of_the_list(open_inbox: OpenStore) -> None:
    store = open_inbox()
    sent = push(1000001, b"12345")
    accepted = store.accept(sent, STRICT)
    (row,) = store.rows()
    assert json.loads(json.dumps(row_object(row))) == {
        "id": accepted.id,
        "received_at": "2026-11-23T12:00:00Z",
        "state": "accepted",
        "kind": "report",
        "job": {"xdn": "test2", "mrn": "1000001"},
        "source_ip": "192.0.2.7",
        "redeliveries": 0,
        "deviations": 0,
        "conflict_of": None,
        "raw_bytes": sent.raw.size_bytes,
        "properties": {"Subject": "Delivery report - job 1000001", "StartTime": "2012-11-04T13:05:45Z"},
        "documents": [
            {
                "n": 1,
                "filename": "report_1000001.csv",
                "doctype": "text",
                "size_bytes": 5,
                "sha256": sent.documents[0].content.sha256,
                "detected_type": "text/csv",
                "charset": "UTF-8",
                "encoding": "base64",
            }
        ],
    }


def test_the_object_of_a_push_has_the_list_s_and_the_rest(open_inbox: OpenStore) -> None:
    store = open_inbox()
    accepted = store.accept(push(), REFUSED)
    store.accept(push(arrival=arrival(1.5, "192.0.2.8")), REFUSED)
    stored = store.stored(accepted.id)
    told = json.loads(json.dumps(stored_object(stored)))
    assert told.items() >= json.loads(json.dumps(row_object(stored.row))).items()
    assert told["verdict"]["contract_sha256"] == "c" * 64
    assert told["verdict"]["deviations"] == [
        {"rule": "XSD-001", "path": "/soapenv:Envelope/soapenv:Body", "line": 7, "found": "MRN reads 44a",
         "wanted": "digits", "mark": "SIBLING"}
    ]  # fmt: skip
    assert told["arrivals"] == [{"received_at": "2026-11-23T12:00:01.500000Z", "source_ip": "192.0.2.8"}]
    assert told["property_list"][1]["at"] == "2012-11-04T13:05:45Z"
    assert ["Authorization", "***"] in told["http_headers"]
    assert told["header_blocks"]["Request/Authentication/Password"] == "***"


def test_an_unreadable_push_has_an_object_too(open_inbox: OpenStore) -> None:
    store = open_inbox()
    push_id = store.quarantine(refused(b"\xff"))
    told = stored_object(store.stored(str(push_id)))
    assert (told["state"], told["job"], told["documents"], told["idempotency_key"]) == ("quarantined", None, [], None)


def test_the_object_of_the_figures(open_inbox: OpenStore) -> None:
    store = open_inbox()
    store.accept(push(), STRICT)
    told = json.loads(json.dumps(stats_object(store.stats())))
    assert told.pop("free_bytes") > 0
    assert told == {
        "accepted": 1, "quarantined": 0, "redeliveries": 0, "conflicts": 0, "documents": 1, "document_bytes": 18,
        "quarantine_bytes": 0, "oldest_received_at": "2026-11-23T12:00:00Z",
        "newest_received_at": "2026-11-23T12:00:00Z", "targets": [],
    }  # fmt: skip
