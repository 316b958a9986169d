"""The streaming decoder against the lexical rule of xs:base64Binary, written as one regular expression."""

from __future__ import annotations

import base64
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapsvc.wire import base64_reader
from soapsvc.wire.base64_reader import Base64Reader

LEXICAL = re.compile(
    r"S*(((B S*){4})*((B S*){4}|(B S*){2}[AEIMQUYcgkosw048] S*= S*|B S*[AQgw] S*= S*= S*))?".replace(" ", "")
    .replace("B", "[A-Za-z0-9+/]")
    .replace("S*", "[ \t\n\r]*")
)
"""XML Schema part 2, 3.2.16, with white space wherever collapsing may leave some."""


def read(*pieces: str) -> tuple[str | None, bytes]:
    written = bytearray()
    reader = Base64Reader(written.extend)
    for piece in pieces:
        reader.feed(piece)
    reader.finish()
    return reader.rule, bytes(written)


def held_against_the_reference(text: str, *pieces: str) -> None:
    rule, decoded = read(*pieces)
    assert (rule is None) == (LEXICAL.fullmatch(text) is not None), (text, rule)
    if rule is None:
        assert decoded == base64.b64decode(re.sub("[ \t\n\r]", "", text))


NEARLY_BASE64 = st.text(
    st.sampled_from([*"ABQRgwYZaz019+/=", " ", "\n", "\t", "\r", "-", "_", "\xa0", "é", "%", "\x00"])
)


@given(NEARLY_BASE64)
def test_it_takes_what_the_lexical_rule_takes_and_nothing_else(text: str) -> None:
    held_against_the_reference(text, text)


@given(st.text(st.sampled_from("ABQRgwYZaz019+/= \n"), max_size=24), st.integers(1, 5))
def test_pieces_of_any_size_change_nothing(text: str, size: int) -> None:
    held_against_the_reference(text, *(text[at : at + size] for at in range(0, len(text), size)))


@given(st.binary(max_size=400), st.integers(1, 80), st.integers(1, 90), st.integers(1, 40))
def test_whatever_was_encoded_comes_back(content: bytes, width: int, fed: int, decoded_at_once: int) -> None:
    encoded = base64.b64encode(content).decode()
    lines = "\r\n".join(encoded[at : at + width] for at in range(0, len(encoded), width))
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(base64_reader, "DECODE_BYTES", decoded_at_once)
        assert read(*(lines[at : at + fed] for at in range(0, len(lines), fed))) == (None, content)


@given(st.text(st.sampled_from("ABQRgw=%é \n"), max_size=40), st.integers(1, 12))
def test_decoding_in_small_steps_takes_the_same(text: str, decoded_at_once: int) -> None:
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(base64_reader, "DECODE_BYTES", decoded_at_once)
        held_against_the_reference(text, *text)
        in_steps = read(*text)[0]
    assert in_steps == read(text)[0], "which rule is told depends on the text alone"


def test_a_megabyte_in_lines_comes_back() -> None:
    content = random.Random(1).randbytes(1_000_000)
    assert read(base64.encodebytes(content).decode()) == (None, content)


WRONG = {
    "QUJ%": ("PAY-001", "number 4"),
    "QUJDé": ("PAY-001", "U+00E9"),
    "QUJD\xa0": ("PAY-001", "U+00A0"),
    "QU?D": ("PAY-001", "number 3"),
    "QU-_": ("PAY-001", "`-`"),
    "data:text/plain;base64,QUJD": ("PAY-001", "`:`"),
    "QUJ": ("PAY-002", "3 characters"),
    "Q": ("PAY-002", "one character"),
    "QUJD=": ("PAY-002", "padding"),
    "QQ=": ("PAY-002", "padding"),
    "Q===": ("PAY-002", "padding"),
    "====": ("PAY-002", "padding"),
    "QQ==QUJD": ("PAY-002", "goes on after its padding"),
    "QQ=A": ("PAY-002", "after the padding"),
    "QR==": ("PAY-003", "4 spare bits"),
    "QUJ=": ("PAY-003", "2 spare bits"),
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_told_with_its_place(text: str) -> None:
    reader = Base64Reader(bytearray().extend)
    reader.feed(text)
    reader.finish()
    rule, words = WRONG[text]
    assert reader.rule == rule
    assert words in reader.found
    assert reader.wanted != ""


def test_the_place_counts_from_the_beginning_of_the_document() -> None:
    reader = Base64Reader(bytearray().extend)
    reader.feed("QUJD" * 50_000)
    reader.feed("\n%")
    reader.finish()
    assert "number 200002 " in reader.found
