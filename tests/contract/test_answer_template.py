"""What fills the gaps of an acknowledgement is, byte for byte, what Spyne would have written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapsvc.contract import push_service, vendor_types
from soapsvc.contract.answer_template import AnswerTemplate
from soapsvc.contract.push_service import PushService
from soapsvc.records import Accepted, Arrival, Conformance, Push, PushKind, Verdict
from soapsvc.spool import Content
from tests.contract.reading import shipped_wsdl

AT = datetime(2012, 11, 4, 13, 20, 1, 31999, UTC)
VERDICT = Verdict(Conformance.STRICT, "0" * 64)
PUSH = Push(
    Arrival(AT, "192.0.2.1"), Content.of(b""), PushKind.REPORT, "", None, None, None, None, (), (), {}, "0" * 64
)
XML_CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff") | st.sampled_from(
    "\t\r\n"
)
ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
MOMENTS = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=ZONES)
WORDS = st.builds(
    Accepted, id=st.text("0123456789abcdefghjkmnpqrstvwxyz", min_size=1), received_at=MOMENTS,
    submit_id=st.none() | st.text(XML_CHARACTERS),
)  # fmt: skip


class ByBothWays:
    """The acknowledgement of a store's word, from the template and from Spyne."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.word = Accepted("", AT, None)
        self._filled = PushService(shipped_wsdl(), lambda push, verdict: self.word)
        monkeypatch.setattr(AnswerTemplate, "of", classmethod(lambda cls, make, *, submit_id: None))
        self._by_spyne = PushService(shipped_wsdl(), lambda push, verdict: self.word)

    def answers(self, word: Accepted, push: Push = PUSH) -> tuple[bytes, bytes]:
        self.word = word
        return self._filled.dispatch(push, VERDICT), self._by_spyne.dispatch(push, VERDICT)


@pytest.fixture(scope="module")
def by_both_ways() -> ByBothWays:
    with pytest.MonkeyPatch.context() as patched:
        return ByBothWays(patched)


@given(word=WORDS)
@settings(max_examples=400, deadline=None)
def test_a_filled_acknowledgement_is_what_spyne_writes(by_both_ways: ByBothWays, word: Accepted) -> None:
    filled, written = by_both_ways.answers(word)
    assert filled == written


@given(word=WORDS)
@settings(max_examples=100, deadline=None)
def test_so_it_is_where_the_word_is_the_one_expected(by_both_ways: ByBothWays, word: Accepted) -> None:
    push = replace(PUSH, arrival=Arrival(word.received_at, ""), submit_id=word.submit_id)
    filled, written = by_both_ways.answers(word, push)
    assert filled == written


def test_the_shipped_contract_is_acknowledged_from_templates() -> None:
    service = PushService(shipped_wsdl(), lambda push, verdict: Accepted("id", AT, "S-1"))
    assert all(template is not None for template in service._templates.values())
    assert len(service._templates) == 2


@pytest.mark.parametrize(
    "make",
    [
        lambda accepted: f"<a>{accepted.submit_id}</a>".encode(),  # does not escape
        lambda accepted: f"<a>{len(accepted.submit_id)}</a>".encode(),  # tells something else
        lambda accepted: f"<a>{accepted.received_at:%d.%m.%Y}</a>".encode(),  # in a form of its own
    ],
)
def test_what_is_more_than_values_in_their_places_has_no_template(make: Callable[[Accepted], bytes]) -> None:
    assert AnswerTemplate.of(make, submit_id=True) is None


def test_who_listens_to_the_events_of_spyne_hears_of_each_push(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[object] = []
    manager = vendor_types.JobDocumentTransmitResultPortType.event_manager
    monkeypatch.setattr(manager, "handlers", {})
    service = PushService(shipped_wsdl(), lambda push, verdict: Accepted("id", AT, "S-1"))
    quiet = service.dispatch(PUSH, VERDICT)
    manager.add_listener("method_call", lambda ctx: heard.append(ctx.in_object))
    assert service.dispatch(PUSH, VERDICT) == quiet
    assert heard == [PUSH]


def test_an_acknowledgement_with_a_submit_id_that_may_not_fit_is_held_against_the_schema(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of plain characters fits an xs:string, as the tests above show of all that can be filled in."""
    service = PushService(shipped_wsdl(), lambda push, verdict: Accepted("id", AT, "S-\u00e9"))
    broken = service.dispatch(PUSH, VERDICT).replace(b">0<", b">none<")
    monkeypatch.setattr(AnswerTemplate, "filled", lambda template, accepted: broken)
    with pytest.raises(push_service.AnswerDeviates):
        service.dispatch(PUSH, VERDICT)
