"""docs/inbox.md says what the code does, where a program can see it."""

from __future__ import annotations

import re
from pathlib import Path

from soapsvc.inbox.json_forms import row_object, stored_object
from soapsvc.inbox.search_tables import SEARCH_METADATA
from soapsvc.inbox.tables import METADATA
from tests.inbox.making import REFUSED, STRICT, OpenStore, document_of, push, refused

DOCS = (Path(__file__).parents[2] / "docs" / "inbox.md").read_text("utf-8")


def test_the_table_of_json_fields_is_that_of_the_objects(open_inbox: OpenStore) -> None:
    told = re.findall(r"^\| `(\w+)` \| (list, show|show) \| (.*) \|$", DOCS, re.MULTILINE)
    store, properties = open_inbox(), push().properties
    whole_push = push(documents=(document_of(b"x", properties=properties),))
    kept = store.quarantine(refused(b"<Envelope/>", read=whole_push))
    accepted = store.accept_kept(str(kept), whole_push, STRICT)
    store.accept(push(documents=(document_of(b"x", properties=properties),)), REFUSED)
    stored = store.stored(accepted.id)
    row, whole = row_object(stored.row), stored_object(stored)
    assert [name for name, where, _ in told if where == "list, show"] == list(row)
    assert [name for name, _, _ in told] == list(whole)
    is_of = {name: set(re.findall(r"`(\w+)`", text)) for name, _, text in told}
    parts = {
        "job": whole["job"],
        "documents": whole["documents"][0],
        "verdict": whole["verdict"],
        "history": whole["history"][0],
        "property_list": whole["property_list"][0],
        "arrivals": whole["arrivals"][0],
    }
    for name, part in parts.items():
        assert is_of[name] - {"null"} == set(part), name
    assert whole["document_properties"]["1"][0].keys() == whole["property_list"][0].keys()
    (deviation,) = re.findall(r"^A deviation has (.*)\.$", DOCS, re.MULTILINE)
    assert re.findall(r"`(\w+)`", deviation) == list(whole["history"][0]["deviations"][0])


def test_every_table_is_told() -> None:
    for table in (*METADATA.tables, *SEARCH_METADATA.tables):
        assert f"\n| `{table}` | " in DOCS
