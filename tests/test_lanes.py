"""A small plain message is read in one go, any other one piece by piece: nobody can tell by which way a push came."""

from __future__ import annotations

import base64
import io
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc import judge
from soapsvc.contract.known_markup import MARKUPS_KEPT
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.judge import Judge, Judged
from soapsvc.records import Arrival, Conformance
from soapsvc.settings import OwnSettings
from soapsvc.shipped import SAMPLES, WSDL_FILE
from soapsvc.spool import Content, Spool
from soapsvc.wire.envelope_reader import Limits, read_envelope
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.incoming_body import IncomingBody
from soapsvc.wire.markup import Markup
from soapsvc.wire.plain_envelope import PLAIN_BYTES, PlainBody, read_plain
from tests.pushing import envelope
from tests.wire import messages

ARRIVAL = Arrival(datetime(2026, 11, 23, 8, 0, tzinfo=UTC), "192.0.2.1")
LIMITS = Limits.from_settings(OwnSettings())
NAMES = frozenset({"docdata"})
SEEDS = [path.read_bytes() for path in sorted(SAMPLES.rglob("*.xml"))] + [envelope(), messages.GOOD.encode()]
PLAIN = ["sampleReport", "sampleOtherDialect", "sampleTwoDocuments", "sampleFax", "sampleTextFormat"]

ODD = [
    b"<!-- a comment -->", b"<![CDATA[text]]>", b"<?pi x?>", b"<!DOCTYPE a>", b"&amp;", b"&#65;", b"&#xD;", b"&nothing;",
    b"]]>", b"\0", b"\x01", b"\x7f", b"\r\n", b"\t ", b"\xc3\xa9", b"\xe9", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf0\x9f\x98\x80",
    b"<a/>", b"<a>", b"</a>", b"<a:b:c/>", b"<:a/>", b"<u:x/>", b"<\xc3\xa9/>", b"<DocData>QUJD</DocData>", b"<DocData/>",
    b' xmlns=""', b' xmlns:x=""', b' xmlns:x="urn:x"', b' xmlns:x="a b"', b' xmlns:x="%zz"', b' xmlns="relative"',
    b' x:y="1"', b' a="1"', b' a="1" a="2"', b' xml:id="1"', b' xml:lang="en"', b' href="#1" id="1"', b' format="text"',
    b' format="zip"', b' format=" BASE64 "', b"=", b"==", b"A", b"!", b"<", b">", b'"', b"'",
    b"<soapenv:Body/>", b' soapenv:encodingStyle=""', b' soapenv:mustUnderstand="1"', b' xsi:nil="true"',
    b"<Property name='StartTime'>2012-11-04T13:05:45</Property>", b"<Property name='Password'>x</Property>",
]  # fmt: skip


def like(tree: etree._Element) -> list[Any]:
    """All that a tree says, and the prefixes that a path would be written with."""
    return [(e.tag, e.prefix, e.text, e.tail, sorted(e.items()), sorted(e.nsmap.items(), key=str)) for e in tree.iter()]


def held(body: bytes, limits: Limits = LIMITS, codec: str | None = "utf-8") -> bool:
    """Whether the body is plain; what is plain is held against what the long way reads."""
    plain = read_plain(PlainBody.of(body), Markup.of(body), limits=limits, document_names=NAMES)
    if plain is None:
        return False
    with tempfile.TemporaryDirectory() as folder, Spool(Path(folder)) as spool:
        read = read_envelope(Content.of(body), codec=codec, limits=limits, document_names=NAMES, spool=spool)
        assert read.root is not None
        assert plain.root is not None
        assert read.deviations == plain.deviations == ()
        assert like(plain.root) == like(read.root)
        assert plain.raw == read.raw
        assert [(d.content, d.encoding, d.deviations) for d in plain.documents] == [
            (d.content, d.encoding, d.deviations) for d in read.documents
        ]
        places = [[e.elements.index(d.element) for d in e.documents] for e in (plain, read)]
        assert places[0] == places[1]
        assert [plain.path(e) for e in plain.elements] == [read.path(e) for e in read.elements]
        assert [plain.line(e) for e in plain.elements] == [read.line(e) for e in read.elements]
    return True


@st.composite
def spoiled(draw: st.DrawFn, seeds: Sequence[bytes] = SEEDS) -> bytes:
    """A message with something odd put into it, cut out of it or said twice, at a place where markup is likely."""
    body = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        places = [found.start() for found in re.finditer(rb"[<>=\"/ ]", body[:4000])] + [0, len(body)]
        at = draw(st.sampled_from(places)) + draw(st.integers(0, 1))
        match draw(st.integers(0, 3)):
            case 0 | 1:
                body = body[:at] + draw(st.sampled_from(ODD)) + body[at:]
            case 2:
                body = body[:at] + body[at + draw(st.integers(1, 30)) :]
            case _:
                body = body[:at] + draw(st.binary(min_size=1, max_size=3)) + body[at:]
    return body


@pytest.mark.parametrize("name", PLAIN)
def test_the_samples_are_plain(name: str) -> None:
    assert held((SAMPLES / f"{name}.xml").read_bytes())


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "before", [b"<?xml", b"<soapenv:Envelope", b" xmlns", b">\n", b"<Property", b" name=", b"</DocData", b"</soapenv:Envelope"]
)  # fmt: skip
def test_an_oddity_is_read_as_the_long_way_reads_it(odd: bytes, before: bytes) -> None:
    body = envelope()
    at = body.find(before)
    held(body[:at] + odd + body[at:])
    held(body[: at + len(before)] + odd + body[at + len(before) :])


@given(spoiled(), st.sampled_from(["utf-8", None]))
@settings(max_examples=600, deadline=None)
def test_what_is_plain_is_read_as_the_long_way_reads_it(body: bytes, codec: str | None) -> None:
    held(body, codec=codec)


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_limits_hold_where_they_hold_on_the_long_way(data: st.DataObject) -> None:
    limits = Limits(
        depth=data.draw(st.integers(3, 12)), elements=data.draw(st.integers(5, 60)),
        attributes=data.draw(st.integers(1, 6)), name_chars=data.draw(st.integers(8, 80)),
        text_chars=data.draw(st.integers(500, 4000)), documents=data.draw(st.integers(0, 2)),
    )  # fmt: skip
    held(data.draw(st.sampled_from(SEEDS)), limits)


def test_a_larger_message_is_not_plain() -> None:
    body = envelope()
    padded = body + b"\n" * (PLAIN_BYTES - len(body))
    assert held(padded)
    assert not held(padded + b"\n")


# As the judge judges ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=list(Conformance))
def judging(request: pytest.FixtureRequest) -> Iterator[Any]:
    """From a body to what is thought of it, by both ways."""
    one = Judge(OwnSettings(conformance=request.param), WsdlDocument.load(WSDL_FILE))

    def judged(body: bytes, folder: Path, *, plain: bool) -> Judged:
        head = RequestHead("POST", "/push", "", (("Content-Type", "text/xml; charset=utf-8"),))
        with pytest.MonkeyPatch.context() as patched, Spool(folder) as spool:
            if not plain:
                patched.setattr(Judge, "_read_at_once", lambda *_: None)
            return told(one.judge_stream(head, io.BytesIO(body), ARRIVAL, spool))

    return judged


@given(body=st.sampled_from(SEEDS) | spoiled())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_push_verdict_and_fingerprint_are_those_of_the_long_way(judging: Any, tmp_path: Path, body: bytes) -> None:
    assert judging(body, tmp_path, plain=True) == judging(body, tmp_path, plain=False)


# A large message, whose long texts were taken out -------------------------------------------------------------------

REPORT = base64.encodebytes(b"address,status\n" + b"a@example.net,delivered\n" * 6000)


def larger(message: bytes) -> bytes:
    """The same with a larger document."""
    return re.sub(rb"(<(?:\w+:)?DocData[^>]*>)[^<]*", rb"\1" + REPORT, message, count=1)


LARGER = [
    *map(larger, SEEDS),
    envelope().replace(b"</Property>", REPORT + b"</Property>", 1),
    envelope().replace(b"</SubmitId>", REPORT + b"</SubmitId>", 1),
    envelope().replace(b"</soapenv:Body>", b"<x:DocData xmlns:x='urn:x'>" + REPORT + b"</x:DocData></soapenv:Body>"),
]


def told(one: Judged) -> Judged:
    """The same without where the bytes lie."""

    def anywhere(content: Content) -> Content:
        with content.open() as stream:
            return Content.of(stream.read())

    assert one.raw == anywhere(one.raw) or one.raw.path or one.accepted, "what is refused lies in one piece"
    push = one.push
    if push is not None:
        documents = tuple(replace(document, content=anywhere(document.content)) for document in push.documents)
        push = replace(push, raw=anywhere(push.raw), documents=documents)
    return replace(one, raw=anywhere(one.raw), push=push)


@pytest.mark.parametrize("body", LARGER, ids=range(len(LARGER)))
def test_a_large_message_is_judged_as_if_nothing_had_been_taken_out(judging: Any, tmp_path: Path, body: bytes) -> None:
    for _ in range(4):  # seen, learned, known
        assert judging(body, tmp_path, plain=True) == judging(body, tmp_path, plain=False)


@given(body=spoiled(LARGER))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_spoiled_large_message_is_judged_as_if_nothing_had_been_taken_out(
    judging: Any, tmp_path: Path, body: bytes
) -> None:
    assert judging(body, tmp_path, plain=True) == judging(body, tmp_path, plain=False)


def test_of_a_large_sample_nothing_is_parsed_but_what_is_left_of_it(
    judging: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it is read the long way")

    monkeypatch.setattr(judge, "read_envelope", never)
    for name in PLAIN[:4]:
        body = larger((SAMPLES / f"{name}.xml").read_bytes())
        assert len(body) > PLAIN_BYTES
        assert judging(body, tmp_path, plain=True).push is not None


# A markup that has been seen before ---------------------------------------------------------------------------------

TEXTS = ["", " ", "\n", "A & B", "a\r\nb", "&lt;", "&amp;", "&#13;", "&nothing;", "x" * 300, "é", "\u00a0", "]]", "2012-11-04T13:05:45Z",
         "2012-11-04T13:05:45", "11/4/12 8:05:45 ET", "11/4/12 1:30:00 ET", "report_44.csv", "cdr.csv", "PDF", "text", "0", "44a", "QUJD",
         "QUJ", "QUJE", "====", "JVBERi0xLjQK", "not base64", "http://user:word@h/p", "\x01", "\ufffe", "'", '"', "'>'", "<b/>"]  # fmt: skip


@st.composite
def said_otherwise(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A message, and one with the same tags that says something else between some of them, or has two brackets turned
    the other way."""
    body = draw(st.sampled_from(SEEDS))
    pieces = re.split(rb"(<[^<>]*>)", body)
    for _ in range(draw(st.integers(1, 4))):
        pieces[2 * draw(st.integers(0, (len(pieces) - 1) // 2))] = draw(st.sampled_from(TEXTS)).encode()
    other = b"".join(pieces)
    if draw(st.integers(0, 3)) == 0:
        turned = draw(st.sampled_from([*re.finditer(rb">([^<>]*)<", other)]))
        other = other[: turned.start()] + b"<" + turned[1] + b">" + other[turned.end() :]
    return body, other


@given(bodies=said_otherwise())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_of_known_markup_is_judged_as_if_it_were_new(
    judging: Any, tmp_path: Path, bodies: tuple[bytes, bytes]
) -> None:
    seed, other = bodies
    for _ in range(3):  # seen, learned, known
        judging(seed, tmp_path, plain=True)
    assert judging(seed, tmp_path, plain=True) == judging(seed, tmp_path, plain=False)
    assert judging(other, tmp_path, plain=True) == judging(other, tmp_path, plain=False)


def test_a_body_with_two_brackets_turned_has_not_the_markup_of_the_message_that_it_was(
    judging: Any, tmp_path: Path
) -> None:
    for _ in range(3):
        judging(envelope(), tmp_path, plain=True)
    body = envelope().replace(b"<XDN>test2</XDN>", b"<XDN<test2>/XDN>")
    judged = judging(body, tmp_path, plain=True)
    assert "XML-003" in [deviation.rule for deviation in judged.verdict.deviations]
    assert judged == judging(body, tmp_path, plain=False)


def test_a_thread_that_must_not_wait_leaves_a_message_alone_while_all_schemas_are_in_use(tmp_path: Path) -> None:
    one = Judge(OwnSettings(), WsdlDocument.load(WSDL_FILE))
    head = RequestHead("POST", "/push", "", (("Content-Type", "text/xml; charset=utf-8"),))
    body = envelope().replace(b">test2<", b">te&#115;t2<")  # libxml2 is asked for it, each time
    with Spool(tmp_path) as spool:
        for _ in range(3):
            one.judge_stream(head, io.BytesIO(body), ARRIVAL, spool)
        incoming = IncomingBody.of(io.BytesIO(body), spool, 8)
        with one._schema_check._schema.deciding():
            assert one.judge_known(head, incoming, ARRIVAL) is None
        assert one.judge_known(head, incoming, ARRIVAL) is not None


@pytest.mark.parametrize("name", PLAIN[:4])
def test_the_markup_of_a_sample_is_known_from_the_third_message_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (SAMPLES / f"{name}.xml").read_bytes()
    one = Judge(OwnSettings(), WsdlDocument.load(WSDL_FILE))
    first = [one._read_at_once(PlainBody.of(body), ARRIVAL) for _ in range(2)]
    monkeypatch.setattr(judge, "read_plain", lambda *_, **__: None)
    assert [one._read_at_once(PlainBody.of(body), ARRIVAL)] * 2 == first
    assert first[0] is not None


def test_a_markup_whose_texts_decide_more_is_never_known() -> None:
    one = Judge(OwnSettings(), WsdlDocument.load(WSDL_FILE))
    body = (SAMPLES / "sampleTextFormat.xml").read_bytes()  # its document is text, which stays in the tree
    for _ in range(3):
        assert one._read_at_once(PlainBody.of(body), ARRIVAL) is not None
    assert not any(one._known._known.values())


def test_a_thousand_markups_are_not_all_kept() -> None:
    one = Judge(OwnSettings(), WsdlDocument.load(WSDL_FILE))
    for n in range(200):
        body = envelope().replace(b"Envelope ", b"Envelope " + b" " * n, 1)
        for _ in range(2):
            one._read_at_once(PlainBody.of(body), ARRIVAL)
    assert len(one._known._known) == MARKUPS_KEPT
