"""What a raw message may show, and how it is shown."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapsvc.web.masking import codec_of, masked, masked_bytes, masked_headers
from soapsvc.web.raw_view import LINE_CHARS, hex_lines, pretty_lines, raw_lines

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        "<Password>hunter2</Password>",
        "<a:Password xmlns:a='urn:x' Type='t'>hunter2</a:Password>",
        "<XDDSAuth><RequesterID>hunter2</RequesterID><Other>hunter2</Other></XDDSAuth>",
        "<Security><UsernameToken>\n  <Username>hunter2</Username>\n</UsernameToken></Security>",
        "<Password><![CDATA[hunter2]]></Password>",
        "<Password>hunter2",
        "<Password>hunter2</Passwrod><Subject>x</Subject>",
        '<x ClientSecret="hunter2"/>',
        "<x ClientSecret = 'hunter2'>y</x>",
        "<url>https://user:hunter2@example.com/</url>",
        "<PASSWORD>hunter2</PASSWORD>",
    ],
)
def test_a_credential_is_not_shown_in_text_nor_in_bytes(text: str) -> None:
    assert SECRET not in masked(text)
    if "://" not in text:
        for codec in ("utf-8", "utf-16-le", "utf-16-be"):
            hidden = masked_bytes(text.encode(codec), codec)
            assert SECRET not in hidden.decode(codec)
            assert len(hidden) == len(text.encode(codec))


@pytest.mark.parametrize(
    "text",
    ["<Subject>hunter2</Subject>", "<a b='c > d'>e</a>", "plain", "<Password/><Subject>hunter2</Subject>", "< <>&amp;",
     "<Password>x</Password><Subject>hunter2</Subject>"],
)  # fmt: skip
def test_what_is_no_credential_stays(text: str) -> None:
    assert masked(text).replace("***", "x") == text


@given(st.text(alphabet="<>/P asword=\"'\n!x", max_size=200))
def test_lines_stay_lines_and_bytes_stay_where_they_are(text: str) -> None:
    assert masked(text).count("\n") == text.count("\n")
    assert len(masked_bytes(text.encode(), "utf-8")) == len(text.encode())


def test_headers_that_carry_a_credential_are_masked() -> None:
    sent = [("Authorization", "Basic x"), ("Cookie", "a=b"), ("X-Api-Key", "k"), ("Content-Type", "text/xml")]
    assert [value for _, value in masked_headers(sent)] == ["***", "***", "***", "text/xml"]


@pytest.mark.parametrize(
    ("head", "content_type", "codec"),
    [
        (b"<a/>", "text/xml", "utf-8"),
        (b"<a/>", "text/xml; charset=iso-8859-1", "iso8859-1"),
        (b"<?xml version='1.0' encoding='windows-1252'?>", "text/xml", "cp1252"),
        (b"\xff\xfe<\0", "text/xml; charset=utf-8", "utf-16-le"),
        (b"\xef\xbb\xbf<a/>", "text/xml", "utf-8"),
        (b"<a/>", "text/xml; charset=utf-16", "utf-16-be"),
        (b"<a/>", "text/xml; charset=punycode", "utf-8"),
        (b"<a/>", "text/xml; charset=no-such", "utf-8"),
    ],
)
def test_the_charset_of_a_message_is_found(head: bytes, content_type: str, codec: str) -> None:
    assert codec_of(head, [("Content-Type", content_type)]) == codec


def lines_of(
    raw: bytes, codec: str = "utf-8", named: tuple[int, ...] = (), at_most: int = 100
) -> list[tuple[int, str]]:
    return [(line.n, line.text) for line in raw_lines(io.BytesIO(raw), codec, named, at_most)]


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"])
def test_lines_are_counted_as_xml_counts_them(ends: bytes) -> None:
    raw = ends.join([b"<a>", b"<b/>", b"", b"</a>"])
    assert lines_of(raw) == [(1, "<a>"), (2, "<b/>"), (3, ""), (4, "</a>")]


def test_a_line_end_between_two_reads_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from soapsvc.web import raw_view

    for piece in range(1, 7):
        monkeypatch.setattr(raw_view, "_PIECE", piece)
        assert lines_of("é\r\nb\rc\n".encode()) == [(1, "é"), (2, "b"), (3, "c")]


def test_of_a_long_line_the_beginning_is_shown_and_how_much_there_is() -> None:
    (line,) = raw_lines(io.BytesIO(b"<a>" + b"x" * 5000), "utf-8")
    assert (len(line.text), line.more) == (LINE_CHARS, 5003 - LINE_CHARS)


def test_a_line_that_is_named_is_shown_however_far_it_is() -> None:
    raw = b"\n".join(b"<x n='%d'/>" % n for n in range(1, 5001))
    lines = raw_lines(io.BytesIO(raw), "utf-8", (4000,), 10)
    assert [line.n for line in lines] == [*range(1, 11), *range(3997, 4004)]
    assert [line.n for line in lines if line.gap] == [3997]
    assert lines[13].text == "<x n='4000'/>"


def test_an_envelope_is_indented() -> None:
    shown = pretty_lines(b"<?xml version='1.0'?><a x='1'><b>t &amp; u</b><c/><d><Password>hunter2</Password></d></a>")
    assert shown == [
        '<a x="1">',
        "  <b>t &amp; u</b>",
        "  <c/>",
        "  <d>",
        "    <Password>***</Password>",
        "  </d>",
        "</a>",
    ]


@pytest.mark.parametrize(
    "raw", [b"", b"<a>", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", b"\xff\xff", b"x" * 3_000_000]
)
def test_what_cannot_be_indented_is_left_alone(raw: bytes) -> None:
    assert pretty_lines(raw) is None


def test_bytes_are_shown_with_their_places() -> None:
    raw = bytes(range(256)) * 40
    assert hex_lines(io.BytesIO(raw), "utf-8", 0)[2] == (
        "00000020", "20 21 22 23 24 25 26 27 28 29 2a 2b 2c 2d 2e 2f", " !\"#$%&'()*+,-./",
    )  # fmt: skip
    assert hex_lines(io.BytesIO(raw), "utf-8", 4096)[0][0] == "00001000"
