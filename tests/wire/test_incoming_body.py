"""A body is cut while it comes in, or it is not: either way every byte of it is there, and nothing else is left."""

from __future__ import annotations

import base64
import hashlib
import random
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soapsvc.skeleton import CutContent
from soapsvc.spool import INLINE_BYTES, Content, Spool
from soapsvc.wire import long_texts
from soapsvc.wire.incoming_body import IncomingBody
from soapsvc.wire.long_texts import LONG_CHARS, MAX_LEFT_BYTES
from soapsvc.wire.plain_envelope import PLAIN_BYTES

LARGE = random.Random(4).randbytes(3 * PLAIN_BYTES)
BEFORE, AFTER = b"<a>\n  <b c='1'>", b"</b>\n</a>\n"


def written(content: bytes, width: int = 76, line_end: bytes = b"\n") -> bytes:
    text = base64.b64encode(content)
    return line_end.join(text[at : at + width] for at in range(0, len(text), width)) if width else text


def pieces_of(body: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    begin = 0
    for end in [*sorted({cut % len(body) for cut in cuts}), len(body)]:
        if end > begin:
            yield body[begin:end]
        begin = end


def taken(body: bytes, folder: Path, cuts: Sequence[int] = ()) -> tuple[list[Content], bytes] | None:
    """The contents that were taken out and what is left of a body that was cut, None of one that was not; its bytes
    are the same in each case, and nothing is left of it in the folder."""
    with IncomingBody(Spool(folder), document_limit=10) as incoming:
        for piece in pieces_of(body, cuts):
            incoming.append(piece)
        assert len(incoming) == len(body)
        plain = incoming.plain
        if plain is not None:
            assert (plain.raw.sha256, plain.raw.size_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
            with plain.raw.open() as stream:
                assert stream.read() == body
            assert plain.raw.head(50) == body[:50]
        whole = incoming.raw
        assert (whole.sha256, whole.size_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
        with whole.open() as stream:
            assert stream.read() == body
        assert (whole.inline is None) == (whole.path is not None), "it lies in one piece"
        assert b"".join(iter(lambda: incoming.read(100_000), b"")) == body
        found = None if plain is None else ([_checked(text) for text in plain.texts.values()], plain.own)
    assert list(folder.iterdir()) == []
    return found


def _checked(content: Content) -> Content:
    with content.open() as stream:
        read = stream.read()
    assert (content.sha256, content.size_bytes) == (hashlib.sha256(read).hexdigest(), len(read))
    return content


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 1, PLAIN_BYTES])
def test_a_small_body_is_held_as_it_is(size: int, tmp_path: Path) -> None:
    found = taken(bytes(size) or b"", tmp_path) if size else None
    assert size == 0 or found == ([], bytes(size))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r", b"\n      ", b"\r\n\t\t", b" "])
@pytest.mark.parametrize("width", [0, 4, 57, 60, 64, 76, 77, 1000, 8 * 1024])
def test_a_text_in_lines_of_one_width_is_taken_out(width: int, line_end: bytes, tmp_path: Path) -> None:
    for content in (LARGE, LARGE[:-1], LARGE[:-2], LARGE[: 57 * 5000]):
        for around in (b"", b"\n", b"\n\t  "):
            body = BEFORE + around + written(content, width, line_end) + around + AFTER
            found = taken(body, tmp_path)
            assert found is not None
            assert [text.sha256 for text in found[0]] == [sha256(content)]
            assert found[1] == BEFORE + 2 * around + AFTER


@given(
    sizes=st.lists(st.integers(0, 5 * LONG_CHARS), min_size=1, max_size=8),
    width=st.sampled_from([0, 60, 76]),
    line_end=st.sampled_from([b"\n", b"\r\n"]),
    cuts=st.lists(st.integers(0, 10**7), max_size=30),
)
@settings(max_examples=150, deadline=None)
def test_it_does_not_matter_where_the_pieces_end(
    sizes: list[int], width: int, line_end: bytes, cuts: list[int]
) -> None:
    contents = [LARGE[:size] for size in sizes]
    texts = [written(content, width, line_end) for content in contents]
    body = BEFORE + b"</b><b>".join(texts) + AFTER + b" " * (PLAIN_BYTES if sum(map(len, texts)) < PLAIN_BYTES else 0)
    with tempfile.TemporaryDirectory() as folder:
        found = taken(body, Path(folder), cuts)
    long = [sha256(content) for content, text in zip(contents, texts, strict=True) if len(text) >= LONG_CHARS]
    if len(body) - sum(len(text) for text in texts if len(text) >= LONG_CHARS) <= MAX_LEFT_BYTES:
        assert found is not None
        assert [text.sha256 for text in found[0]] == long


@pytest.mark.parametrize("space", [LONG_CHARS, LONG_CHARS + 1, 3 * LONG_CHARS])
def test_much_white_space_is_no_long_text(space: int, tmp_path: Path) -> None:
    blank = b" \n" * (space // 2)
    body = BEFORE + blank + b"</b><b>" + written(LARGE) + AFTER
    for cuts in ((), range(0, len(body), 5000)):
        found = taken(body, tmp_path, cuts)
        assert found is not None
        assert [text.sha256 for text in found[0]] == [sha256(LARGE)]
        assert found[1] == BEFORE + blank + b"</b><b>" + AFTER


SPOILED = {
    "a foreign character": (b"A", b"!"),
    "a character that is none of US-ASCII": (b"A", b"\xc3\xa9"),
    "padding within": (b"AA", b"A="),
    "a space more": (b"A", b"A "),
    "a character less": (b"A", b""),
    "a line end less": (b"\n", b""),
    "another line end": (b"\n", b"\r\n"),
    "another line end of the same size": (b"\n", b"\r"),
    "a reference for the line end": (b"\n", b"&#10;"),
    "a tag within": (b"A", b"<x/>"),
}


@pytest.mark.parametrize("where", [0.0, 0.001, 0.3, 0.7, 0.99])
@pytest.mark.parametrize("what", SPOILED)
@pytest.mark.parametrize("cuts", [(), range(0, 10**6, 70_000)], ids=["one piece", "pieces"])
def test_a_text_that_could_not_be_written_again_leaves_the_body_as_it_came(
    what: str, where: float, cuts: Sequence[int], tmp_path: Path
) -> None:
    text = written(LARGE)
    old, new = SPOILED[what]
    at = text.index(old, int(len(text) * where))
    found = taken(BEFORE + text[:at] + new + text[at + len(old) :] + AFTER, tmp_path, cuts)
    if found is not None:  # a tag parts it in two texts, each regular by itself
        assert what == "a tag within"


@pytest.mark.parametrize("last", [b"QQ==", b"QUI="])
def test_spare_bits_that_are_not_zero_are_not_taken(last: bytes, tmp_path: Path) -> None:
    whole = base64.b64encode(LARGE)
    assert taken(BEFORE + whole + last + AFTER, tmp_path) is not None
    spoiled = last.replace(b"Q=", b"R=").replace(b"I=", b"J=")
    assert taken(BEFORE + whole + spoiled + AFTER, tmp_path) is None


@pytest.mark.parametrize(
    "body",
    [
        BEFORE + (b"<i>" + b"x" * 1000 + b"</i>") * (1 + MAX_LEFT_BYTES // 1000) + written(LARGE) + AFTER,
        BEFORE.replace(b"'1'", b"'" + b"1" * MAX_LEFT_BYTES + b"'") + written(LARGE) + AFTER,
        BEFORE + written(LARGE) + b"</b>" + b"<i/>" * MAX_LEFT_BYTES + AFTER,
        b"x" * 2 * PLAIN_BYTES,
        b"<" * 2 * PLAIN_BYTES,
        (BEFORE + written(LARGE) + AFTER).decode().encode("utf-16"),
        BEFORE + b"<b>" + b"</b><b>".join(11 * [written(LARGE[:LONG_CHARS])]) + AFTER,
        BEFORE + written(LARGE),
    ],
    ids=["much text", "a large tag", "many tags", "no tag", "tags without an end", "UTF-16", "too many", "cut off"],
)
def test_what_is_not_a_small_body_without_its_long_texts_stays_as_it_came(body: bytes, tmp_path: Path) -> None:
    assert taken(body, tmp_path) is None
    assert taken(body, tmp_path, range(0, len(body), 50_000)) is None


def test_of_a_large_body_only_its_documents_are_written(tmp_path: Path) -> None:
    body = BEFORE + written(LARGE) + AFTER
    with IncomingBody(Spool(tmp_path), 10) as incoming:
        incoming.append(body)
        assert incoming.plain is not None
        assert isinstance(incoming.plain.raw, CutContent)
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) == len(LARGE) > INLINE_BYTES


def test_a_body_that_comes_slowly_holds_no_more_in_memory_for_having_many_documents(tmp_path: Path) -> None:
    body = BEFORE + b"</b><b>".join(40 * [written(LARGE[:100_000])]) + AFTER
    with IncomingBody(Spool(tmp_path), 100) as incoming:
        incoming.append(body)
        assert incoming.plain is not None
        texts = [_checked(text) for text in incoming.plain.texts.values()]
        assert len(texts) == 40
        assert sum(text.size_bytes for text in texts if text.inline is not None) <= 2 * INLINE_BYTES


def test_a_full_disk_is_an_oserror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(long_texts.Sink, "write", no_room)
    with IncomingBody(Spool(tmp_path), 10) as incoming, pytest.raises(OSError, match="No space left"):
        incoming.append(BEFORE + written(LARGE) + AFTER)
