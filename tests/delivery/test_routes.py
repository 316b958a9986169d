"""Which push goes where."""

from __future__ import annotations

from typing import Any

import pytest

from soapsvc.delivery.routes import routes
from soapsvc.delivery_settings import DeliverySettings
from soapsvc.records import Property, PushKind
from tests.inbox.making import document_of, push

SENT = push(
    documents=(document_of(b"a", doctype="text"), document_of(b"b", n=2, doctype="PDF")),
    properties=(
        Property("UserAccountNumber", "USER", "USER", "2000002"),
        Property("Subject", "orig_email_subject", "USER", "Delivery report [final]\nof job 7"),
        Property("Subject", "Subject", None, "second"),
    ),
)


@pytest.mark.parametrize(
    ("filter_", "passes"),
    [
        ({}, True),
        ({"kind": ["report"]}, True),
        ({"kind": ["fax", "cdr"]}, False),
        ({"account": ["2000002"]}, True),
        ({"account": ["1*", "20?0002"]}, True),
        ({"account": ["2000"]}, False),
        ({"doctype": ["pdf"]}, True),
        ({"doctype": ["tif*"]}, False),
        ({"properties": {"subject": "delivery REPORT*"}}, True),
        ({"properties": {"Subject": "*[final]*"}}, True),
        ({"properties": {"Subject": "*[fi]*"}}, False),
        ({"properties": {"orig_email_subject": "*job 7"}}, True),
        ({"properties": {"Subject": "second", "UserAccountNumber": "2*"}}, True),
        ({"properties": {"Subject": "second", "Nothing": "*"}}, False),
        ({"kind": ["report"], "account": ["2*"], "doctype": ["text"], "properties": {"Subject": "*"}}, True),
        ({"kind": ["report"], "account": ["3*"]}, False),
    ],
)
def test_a_filter_passes_what_holds_in_each_of_its_parts(filter_: dict[str, Any], passes: bool) -> None:
    entries = [
        DeliverySettings(name="all", target="file:///a"),
        DeliverySettings(name="some", target="file:///b", **filter_),
    ]
    assert routes(entries)(SENT) == (("all", "some") if passes else ("all",))


def test_without_entries_nothing_is_queued() -> None:
    assert routes(())(SENT) == ()


def test_a_push_that_says_nothing_passes_what_asks_for_nothing() -> None:
    bare = push(documents=(), properties=(), kind=PushKind.OTHER)
    entry = DeliverySettings(name="a", target="file:///a", properties={"Subject": "*"})
    assert routes([entry])(bare) == ()
