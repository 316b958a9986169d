"""What is left of an envelope and its documents give it back bit for bit, or it is left as it is."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import random
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soapsvc.inbox import envelope_skeleton, skeleton_form
from soapsvc.inbox.envelope_skeleton import MAX_WHOLE_BYTES, take_out
from soapsvc.inbox.skeleton_form import from_bytes, to_bytes
from soapsvc.shipped import SAMPLES
from soapsvc.skeleton import MAX_OWN_BYTES, Coding, Place, Skeleton, SkeletonDamaged, rebuild
from soapsvc.spool import Content

MIB = 1024 * 1024
BEFORE, AFTER = b'<Document><DocData format="base64">', b"</DocData></Document>"
SOME = random.Random(76).randbytes(5000)
LINE_ENDS = (b"\n", b"\r\n", b"\r", b"\n      ", b"\r\n\t\t", b"&#13;\n", b"&#xD;&#xA;", b" ")


@dataclass(frozen=True)
class Written:
    """A document and how it is written in the envelope. width 0: one line."""

    content: bytes
    width: int = 0
    line_end: bytes = b"\n"
    around: bytes = b""

    def text(self) -> bytes:
        encoded = base64.b64encode(self.content)
        if self.width:
            lines = [encoded[at : at + self.width] for at in range(0, len(encoded), self.width)]
            encoded = self.line_end.join(lines)
        return self.around + encoded + self.around

    def xml(self) -> bytes:
        return BEFORE + self.text() + AFTER


def envelope(*documents: Written, codec: str | None = None, between: bytes = b"\n") -> bytes:
    """A message that holds the documents; codec: of two bytes a character."""
    raw = b"<Envelope>" + between.join(document.xml() for document in documents) + b"</Envelope>"
    return raw if codec is None else ("\ufeff" + raw.decode("ascii")).encode(codec)


def opener(documents: Sequence[bytes]) -> Callable[[int], BinaryIO]:
    return lambda index: BytesIO(documents[index])


def rebuilt(skeleton: Skeleton, documents: Sequence[bytes]) -> bytes:
    return b"".join(rebuild(skeleton, opener(documents)))


def taken_out(raw: bytes, *documents: bytes) -> Skeleton | None:
    """The skeleton, which was stored, read and put together again: it is the same, and so is that of the files."""
    skeleton = take_out(Content.of(raw), [Content.of(document) for document in documents])
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        in_files = [in_file(folder / str(n), content) for n, content in enumerate((raw, *documents))]
        assert take_out(in_files[0], in_files[1:]) == skeleton
    if skeleton is not None:
        stored = to_bytes(skeleton)
        assert from_bytes(stored) == skeleton
        assert skeleton.raw_bytes == len(raw)
        assert rebuilt(skeleton, documents) == raw
    return skeleton


def places(raw: bytes, *documents: bytes) -> list[int]:
    """The indices of the documents that were taken out."""
    skeleton = taken_out(raw, *documents)
    return [place.document for place in skeleton.places] if skeleton else []


def in_file(file: Path, content: bytes) -> Content:
    file.write_bytes(content)
    return Content(hashlib.sha256(content).hexdigest(), len(content), path=file)


# -- what is taken out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [96, 97, 98, 99, 5000])
@pytest.mark.parametrize("width", [0, 32, 60, 64, 75, 76, 77, 4096])
@pytest.mark.parametrize("line_end", LINE_ENDS)
def test_a_canonical_text_is_taken_out_however_its_lines_are(size: int, width: int, line_end: bytes) -> None:
    content = SOME[:size]
    for around in (b"", line_end):
        raw = envelope(Written(content, width, line_end, around))
        skeleton = taken_out(raw, content)
        assert skeleton is not None
        assert skeleton.own == b"<Envelope>" + BEFORE + 2 * around + AFTER + b"</Envelope>"
        in_lines = 0 < width < -(-size // 3) * 4
        coded = (width, line_end) if in_lines else (0, b"")
        (place,) = skeleton.places
        assert place == Place(45 + len(around), len(raw) - len(skeleton.own), 0, Coding.BASE64, *coded)


@pytest.mark.parametrize(("codec", "coding"), [("utf-16-le", 2), ("utf-16-be", 3)])
@pytest.mark.parametrize("width", [0, 64, 77])
@pytest.mark.parametrize("mark", [True, False])
def test_a_text_in_utf_16_is_taken_out(codec: str, coding: int, width: int, mark: bool) -> None:
    raw = envelope(Written(SOME, width, b"\r\n  "), codec=codec)
    skeleton = taken_out(raw if mark else raw[2:], SOME)
    assert skeleton is not None
    assert [place.coding for place in skeleton.places] == [coding]
    assert len(skeleton.own) < 200


@pytest.mark.parametrize("size", [30_000, 98_304, 98_305, 400_000])
@pytest.mark.parametrize("codec", [None, "utf-16-le"])
@pytest.mark.parametrize("width", [0, 76, 75, 8191])
def test_a_text_of_many_pieces_is_taken_out(size: int, codec: str | None, width: int) -> None:
    content = random.Random(size).randbytes(size)
    assert places(envelope(Written(content, width, b"\r\n"), codec=codec), content) == [0]


def test_all_documents_are_taken_out_in_their_order() -> None:
    contents = [random.Random(n).randbytes(100 + 37 * n) for n in range(40)]
    raw = envelope(*(Written(content, (0, 64, 76)[n % 3], LINE_ENDS[n % 8]) for n, content in enumerate(contents)))
    assert places(raw, *contents) == list(range(40))


def test_documents_that_are_the_same_or_begin_with_each_other_are_taken_out() -> None:
    contents = [SOME[:300], SOME, SOME, b"", SOME[:3000], SOME[:301], b"tiny", bytes(1000), bytes(900)]
    raw = envelope(*(Written(content, 76) for content in contents))
    assert places(raw, *contents) == [0, 1, 2, 4, 5, 7, 8]


def test_a_mark_elsewhere_is_passed_over() -> None:
    beginning = base64.b64encode(SOME)[:100]
    raw = b"<Property>" + beginning + b"</Property>" + envelope(Written(SOME, 76))
    skeleton = taken_out(raw, SOME)
    assert skeleton is not None
    assert beginning in skeleton.own


def odd_line(text: bytes) -> bytes:
    return text[:800] + b"\n" + text[800:900] + b"\n" + text[900:]


def comment(text: bytes) -> bytes:
    return text[:301] + b"<!-- -->" + text[301:]


def unpadded(text: bytes) -> bytes:
    return text.rstrip(b"=")


def other_bits(text: bytes) -> bytes:
    """The last character before the padding with a spare bit that is not zero."""
    last = text.rstrip(b"=")[-1:]
    return text.rstrip(b"=")[:-1] + bytes([last[0] + 1]) + b"=" * (len(text) - len(text.rstrip(b"=")))


def narrow(text: bytes) -> bytes:
    return b"\n".join(text[at : at + 20] for at in range(0, len(text), 20))


def far_apart(text: bytes) -> bytes:
    return text[:76] + b"\n" + b" " * 64 + text[76:]


@pytest.mark.parametrize("write", [odd_line, comment, unpadded, other_bits, narrow, far_apart])
def test_what_is_written_in_any_other_way_stays_in_and_others_do_not(write: Callable[[bytes], bytes]) -> None:
    odd, content = SOME[:1000], SOME[1000:2000]
    text = write(base64.b64encode(odd))
    assert text != base64.b64encode(odd)
    raw = BEFORE + text + AFTER + Written(content, 76).xml()
    assert places(raw, odd, content) == [1]
    assert places(Written(content).xml() + BEFORE + text + AFTER, content, odd) == [0]
    assert places(BEFORE + text + AFTER, odd) == []


def test_a_document_that_differs_in_its_last_byte_stays_in() -> None:
    for codec in (None, "utf-16-be"):
        raw = envelope(Written(SOME, 76), codec=codec)
        assert places(raw, SOME[:-1] + b"?") == []
        assert places(raw, SOME + b"?") == []


def test_text_is_taken_out_where_it_stands_literally() -> None:
    plain, escaped = b"Reference;Status\n" * 100, b"A & B;Status\n" * 100
    raw = b"<D>" + escaped.replace(b"&", b"&amp;") + b"</D><D>" + plain + b"</D>"
    skeleton = taken_out(raw, escaped, plain)
    assert skeleton is not None
    assert [(place.document, place.coding) for place in skeleton.places] == [(1, Coding.VERBATIM)]
    assert places(b"<D>" + SOME * 100 + b"</D>", SOME * 100) == [0]


def test_text_in_a_narrower_charset_does_not_hide_the_documents_before_it() -> None:
    text = "ﾊﾝｶｸ" * 100
    raw = Written(SOME, 76).xml() + b"<D>" + text.encode("shift-jis") + b"</D>"
    assert places(raw, SOME, text.encode("utf-8")) == [0]


@pytest.mark.parametrize("documents", [[], [b""], [b"x" * 95], [SOME]])
def test_where_nothing_can_be_taken_out_a_small_envelope_is_kept_whole_and_a_large_one_not(
    documents: list[bytes],
) -> None:
    for raw in (b"", b"<", b"<Envelope/>", b"\xff\xfe", envelope(Written(b"x" * 95))):
        assert places(raw, *documents) == []
        assert taken_out(raw + bytes(MAX_WHOLE_BYTES + 1), *documents) is None


def test_where_too_much_would_be_left_there_is_no_skeleton() -> None:
    raw = envelope(Written(SOME))
    assert take_out(Content.of(raw + bytes(MAX_OWN_BYTES)), [Content.of(SOME)]) is None


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.xml")), ids=lambda sample: sample.stem)
def test_the_samples_come_back(sample: Path) -> None:
    files = sorted((SAMPLES / "decoded").glob(f"{sample.stem}.*"))
    documents, raw = [file.read_bytes() for file in files], sample.read_bytes()
    large = [n for n, document in enumerate(documents) if len(document) >= 96]
    assert places(raw, *documents) == large
    if large:
        skeleton = taken_out(raw, *documents)
        assert skeleton is not None
        assert len(skeleton.own) < 2600
        assert len(to_bytes(skeleton)) < 500


# -- whatever comes ------------------------------------------------------------------------------------------------

CONTENTS = st.one_of(
    st.binary(max_size=400),
    st.integers(0, 5000).map(lambda size: SOME[:size]),
    st.integers(0, 2000).map(bytes),
    st.builds(lambda piece, times: piece * times, st.binary(min_size=1, max_size=30), st.integers(0, 100)),
)
WRITTEN = st.builds(
    Written,
    CONTENTS,
    st.one_of(st.just(0), st.integers(1, 100), st.sampled_from([64, 76, 2048])),
    st.one_of(st.sampled_from(LINE_ENDS), st.text("\r\n\t =A&<", min_size=1, max_size=70).map(str.encode)),
    st.sampled_from([b"", b"\n", b"\r\n    "]),
)
JUNK = st.one_of(
    st.just(b"\n"),
    st.text("AZaz09+/= \n<>", max_size=50).map(str.encode),
    st.integers(1, 60).map(lambda size: base64.b64encode(SOME[:size])),
    st.integers(1, 200).map(lambda size: b"A" * size),
)


@given(st.lists(WRITTEN, max_size=5), JUNK, st.sampled_from([None, "utf-16-le", "utf-16-be"]), st.randoms())
def test_whatever_is_taken_out_comes_back(
    documents: list[Written], junk: bytes, codec: str | None, chance: random.Random
) -> None:
    raw = envelope(*documents, codec=codec, between=junk)
    contents = [document.content for document in documents]
    taken_out(raw, *contents)
    chance.shuffle(contents)
    taken_out(raw, *contents)
    taken_out(raw[: chance.randrange(len(raw))], *contents)
    damaged = bytearray(raw)
    damaged[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
    taken_out(bytes(damaged), *contents)


@given(st.binary(max_size=600), st.binary(max_size=300))
def test_bytes_that_are_no_envelope_come_back(raw: bytes, document: bytes) -> None:
    taken_out(raw, document)
    taken_out(raw + document + raw, document, raw)


# -- cost ----------------------------------------------------------------------------------------------------------


def properties(count: int) -> bytes:
    chance = random.Random(20)
    return b"".join(
        b'<Property name="%b%d">%d</Property>'
        % (chance.choice([b"Region", b"Cost", b"Pages"]), n, chance.randrange(10**6))
        for n in range(count)
    )


def test_a_stored_skeleton_is_small() -> None:
    raw = envelope(Written(SOME, 76)) + properties(20)
    skeleton = taken_out(raw, SOME)
    assert skeleton is not None
    assert len(to_bytes(skeleton)) < 400 < len(skeleton.own)


@pytest.mark.parametrize("codec", [None, "utf-16-le"])
@pytest.mark.parametrize(("width", "line_end"), [(0, b""), (32, b"\n" + b" " * 63), (76, b"\r\n"), (8191, b"\n")])
def test_memory_does_not_grow_with_the_document(tmp_path: Path, codec: str | None, width: int, line_end: bytes) -> None:
    content = random.Random(1).randbytes(4 * MIB)
    whole = envelope(Written(content, width, line_end), codec=codec)
    raw, document = in_file(tmp_path / "raw", whole), in_file(tmp_path / "document", content)
    del whole
    digest = hashlib.sha256()
    tracemalloc.start()
    try:
        skeleton = take_out(raw, [document])
        assert skeleton is not None
        for piece in rebuild(skeleton, lambda _: document.open()):
            assert len(piece) <= MIB // 4
            digest.update(piece)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert digest.hexdigest() == raw.sha256
    assert peak_bytes < MIB


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(lambda mark, text: mark * 40_000, id="full of beginnings"),
        pytest.param(lambda mark, text: b"<D>" + text[:-4] + b"</D>" + text[:-4], id="nearly there"),
        pytest.param(lambda mark, text: b"<D>" * 500_000, id="nowhere"),
        pytest.param(lambda mark, text: b"A" * 1_500_000, id="zeros"),
    ],
)
@pytest.mark.parametrize("zeros", [True, False])
def test_a_hostile_envelope_is_not_read_again_for_every_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: Callable[[bytes, bytes], bytes], zeros: bool
) -> None:
    content = bytes(400_000) if zeros else random.Random(2).randbytes(400_000)
    text = base64.b64encode(content)
    raw = in_file(tmp_path / "raw", b"<E>" + body(text[:32], text) + b"<D>" * 10_000)
    document = in_file(tmp_path / "document", content[:-1] + b"!")
    read_bytes = 0
    read = envelope_skeleton._Raw._at

    def counted(source: envelope_skeleton._Raw, at: int, size_bytes: int) -> bytes:
        nonlocal read_bytes
        read_bytes += size_bytes
        return read(source, at, size_bytes)

    monkeypatch.setattr(envelope_skeleton._Raw, "_at", counted)
    assert take_out(raw, [document] + 300 * [Content.of(content[:100] + b"!")]) is None
    assert read_bytes < 8 * raw.size_bytes


# -- what is stored ------------------------------------------------------------------------------------------------

GOLDEN = bytes.fromhex(
    "01019c020458e00200014c020d0a38e0020101002cc80102000034fb02030140070a20202020202023b64242310991648948"
    "6548e985127d58da2c486a091b0c0d49788062b3062dbc00b7f506ee"
)
GOLDEN_DOCUMENTS = (bytes(range(256)), b"Reference,Result\r\nINV-1001,Sent\r\n" * 8, b"no base64, but text\n" * 10)


def golden_envelope() -> bytes:
    binary, csv, text = GOLDEN_DOCUMENTS
    return (
        b'<?xml version="1.0" encoding="UTF-8"?>\n<soapenv:Body>'
        + Written(binary, 76, b"\r\n").xml()
        + Written(csv).xml()
        + b'<DocData format="text">' + text + b"</DocData>"
        + Written(binary, 64, b"\n      ", b"\n      ").xml()
        + b"</soapenv:Body>\n"
    )  # fmt: skip


def test_a_skeleton_of_format_version_1_is_read_for_ever() -> None:
    """Do not change what this holds: such bytes are in the inboxes."""
    skeleton = from_bytes(GOLDEN)
    assert [place.document for place in skeleton.places] == [0, 1, 2, 3]
    assert rebuilt(skeleton, (*GOLDEN_DOCUMENTS, GOLDEN_DOCUMENTS[0])) == golden_envelope()


def test_the_skeleton_of_the_golden_envelope_is_the_golden_one() -> None:
    assert taken_out(golden_envelope(), *GOLDEN_DOCUMENTS, GOLDEN_DOCUMENTS[0]) == from_bytes(GOLDEN)


def test_the_dictionaries_never_change() -> None:
    digests = {n: hashlib.sha256(words).hexdigest() for n, words in skeleton_form._DICTIONARIES.items()}
    assert digests == {1: "ed0bce293c8bf4cdfa62ab69d554ceeb78dff6916082e91ca203deb1fac6fe7c"}


def test_a_damaged_bit_anywhere_is_told() -> None:
    for n in range(8 * len(GOLDEN)):
        damaged = bytearray(GOLDEN)
        damaged[n // 8] ^= 1 << n % 8
        with pytest.raises(SkeletonDamaged):
            from_bytes(bytes(damaged))
    for size in range(len(GOLDEN)):
        with pytest.raises(SkeletonDamaged):
            from_bytes(GOLDEN[:size])


def with_check(stored: bytes) -> bytes:
    return stored + zlib.crc32(stored).to_bytes(4, "big")


def deflated(own: bytes) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15, zdict=skeleton_form._DICTIONARIES[1])
    return deflate.compress(own) + deflate.flush()


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (b"", "check"),
        (with_check(b"\x01"), "check"),
        (with_check(b"\x02\x01\x00\x00"), "format version 2 is not known"),
        (with_check(b"\x01\x09\x00\x00"), "dictionary 9 is not known"),
        (with_check(b"\x01\x01"), "ends within a field"),
        (with_check(b"\x01\x01" + b"\xff" * 20), "a number without an end"),
        (with_check(b"\x01\x01\x03\x01"), "ends within a field"),
        (with_check(b"\x01\x01\x03\x01\x04\x05\x00\x01\x00" + deflated(b"own")), "after the end"),
        (with_check(b"\x01\x01\x03\x01\x00\x00\x00\x01\x00" + deflated(b"own")), "no text can have"),
        (with_check(b"\x01\x01\x03\x01\x00\x05\x00\x04\x00" + deflated(b"own")), "no text can have"),
        (with_check(b"\x01\x01\x03\x01\x00\x05\x00\x01\x4c\x00" + deflated(b"own")), "no text can have"),
        (with_check(b"\x01\x01\x03\x01\x00\x05\x00\x01\xff\xff\x03\x01\n" + deflated(b"own")), "no text can have"),
        (with_check(b"\x01\x01\x03\x01\x00\x05\x00\x01\x4c\x7f" + b"\n" * 127), "no text can have"),
        (with_check(b"\x01\x01\x02\x00" + deflated(b"own")), "are not 2"),
        (with_check(b"\x01\x01\x04\x00" + deflated(b"own")), "are not 4"),
        (with_check(b"\x01\x01\x03\x00" + deflated(b"own")[:-1]), "are not 3"),
        (with_check(b"\x01\x01\x03\x00" + deflated(b"own") + b"\x00"), "are not 3"),
        (with_check(b"\x01\x01\x03\x00" + b"\xff\xff"), "own bytes"),
        (with_check(b"\x01\x01\x81\x80\x80\x04\x00" + deflated(b"own")), "8388609 bytes without"),
    ],
)
def test_bytes_that_are_no_skeleton_are_told(stored: bytes, told: str) -> None:
    with pytest.raises(SkeletonDamaged, match=told) as raised:
        from_bytes(stored)
    assert isinstance(raised.value, ValueError)


@given(st.binary(max_size=60))
def test_whatever_bytes_are_a_skeleton_or_told(fields: bytes) -> None:
    for stored in (fields, with_check(fields), with_check(b"\x01\x01" + fields)):
        with contextlib.suppress(SkeletonDamaged):
            from_bytes(stored)


def test_a_bomb_is_not_inflated_beyond_its_declared_size() -> None:
    bomb = with_check(b"\x01\x01\x03\x00" + deflated(bytes(100 * MIB)))
    tracemalloc.start()
    try:
        with pytest.raises(SkeletonDamaged):
            from_bytes(bomb)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < MIB


@pytest.mark.parametrize("other", [SOME[:-1], SOME + b"?", b"", 3 * SOME])
@pytest.mark.parametrize("width", [0, 76])
def test_another_document_is_told(other: bytes, width: int) -> None:
    raw = envelope(Written(SOME, width))
    skeleton = taken_out(raw, SOME)
    assert skeleton is not None
    if -(-len(other) // 3) == -(-len(SOME) // 3):
        assert rebuilt(skeleton, [other]) != raw  # of a size that gives as many characters: the digest tells it
        return
    pieces: list[bytes] = []
    with pytest.raises(SkeletonDamaged, match="index 0"):
        pieces.extend(rebuild(skeleton, opener([other])))
    assert sum(map(len, pieces)) < len(raw)


def test_a_stream_that_reads_less_than_it_is_asked_for_gives_the_same() -> None:
    class Slow(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(7, size or 0))

    raw = envelope(Written(SOME, 76))
    skeleton = taken_out(raw, SOME)
    assert skeleton is not None
    assert b"".join(rebuild(skeleton, lambda _: Slow(SOME))) == raw
