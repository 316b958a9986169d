"""From bytes to an envelope: tree, documents, paths and lines."""

from __future__ import annotations

import base64
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc.records import Deviation
from soapsvc.rules import RULES
from soapsvc.spool import INLINE_BYTES, INLINE_BYTES_OF_ALL, Content, Spool
from soapsvc.wire.envelope_reader import read_envelope, read_raw
from soapsvc.wire.soap_rules import check_soap
from tests.wire.conftest import LIMITS, Read, rules_of
from tests.wire.messages import DOCUMENT_NAMES, GOOD, UNDERSTOOD, declared


def test_documents_are_taken_out_and_the_rest_is_a_tree(read: Read) -> None:
    envelope = read(GOOD.encode())
    assert envelope.root is not None
    first, second = envelope.documents
    assert (first.encoding, first.content.inline) == ("base64", b"ABCD")
    assert (second.encoding, second.content.inline) == ("text", "caf\u00e9 <".encode())
    assert [element.text for element in envelope.root.iter("{urn:p}DocData")] == [None, None]
    assert [element.get("format") for element in envelope.root.iter("{urn:p}DocData")] == ["base64", "text"]
    assert envelope.root.findtext(".//{urn:p}Property") == "of the job"
    assert first.element is envelope.root.find(".//{urn:p}DocData")


def test_a_document_without_a_format_is_base64_and_letter_case_of_its_name_does_not_matter(read: Read) -> None:
    envelope = read(b"<a><docDATA>QUJD</docDATA><b><DOCDATA format='BASE64'>QUJD</DOCDATA></b></a>")
    assert [(document.encoding, document.content.inline) for document in envelope.documents] == [("base64", b"ABC")] * 2


def test_an_empty_document_is_empty_and_right(read: Read) -> None:
    (document,) = read(b"<a><DocData/></a>").documents
    assert (document.content.size_bytes, document.encoding, document.deviations) == (0, "base64", ())


def test_a_document_that_does_not_decode_is_kept_as_sent(read: Read) -> None:
    sent = "QUJD\n" * 100 + "caf\u00e9 &amp; <![CDATA[<more>]]>%\r\n"
    body = f"<a>\n<DocData>QUJD</DocData><DocData\n>{sent}</DocData><DocData>RA==</DocData></a>".encode()
    first, second, third = read(body).documents
    assert (first.content.inline, third.content.inline) == (b"ABC", b"D")
    assert second.encoding == "undecodable"
    assert second.content.inline == ("QUJD\n" * 100 + "caf\u00e9 & <more>%\n").encode()
    assert [(d.rule, d.path, d.line) for d in second.deviations] == [("PAY-001", "/a/DocData[2]", 2)]


def test_comments_cdata_and_references_inside_a_document_are_handled_as_xml_says(read: Read) -> None:
    envelope = read(
        b"<a><DocData>QU<!-- x -->J<![CDATA[D]]>&#82;A=&#x3D;</DocData><b>t<!-- x -->u<![CDATA[<]]></b></a>"
    )
    assert envelope.documents[0].content.inline == b"ABCD"
    assert envelope.root is not None
    assert envelope.root.findtext("b") == "tu<"


def test_child_elements_of_a_document_stay_in_the_tree(read: Read) -> None:
    envelope = read(b"<a><DocData>QU<x>inner <DocData>QUJD</DocData></x>JD</DocData></a>")
    assert envelope.root is not None
    assert etree.tostring(envelope.root) == b"<a><DocData><x>inner <DocData>QUJD</DocData></x></DocData></a>"
    (document,) = envelope.documents
    assert document.content.inline == b"ABC"
    assert [deviation.rule for deviation in document.deviations] == ["PAY-005"]


def test_a_large_document_lies_in_a_file(read: Read) -> None:
    content = bytes(range(256)) * 2000
    body = b"<a><DocData>" + base64.encodebytes(content) + b"</DocData></a>"
    envelope = read(body)
    (document,) = envelope.documents
    assert content == document.content.open().read()
    assert document.content.size_bytes > INLINE_BYTES
    assert document.content.inline is None
    assert envelope.raw.inline is None


def test_the_namespaces_that_an_element_declares_are_kept_for_names_in_values(read: Read) -> None:
    envelope = read(b'<a xmlns="urn:d" xmlns:xs="urn:xs"><b xmlns:q="urn:q" t="xs:string"/></a>')
    assert envelope.root is not None
    assert envelope.root.nsmap == {None: "urn:d", "xs": "urn:xs"}
    assert envelope.root[0].nsmap == {None: "urn:d", "xs": "urn:xs", "q": "urn:q"}
    assert etree.tostring(envelope.root) == b'<a xmlns="urn:d" xmlns:xs="urn:xs"><b xmlns:q="urn:q" t="xs:string"/></a>'


def test_no_file_is_held_open_for_a_document_that_has_ended(read: Read) -> None:
    large = base64.b64encode(bytes(INLINE_BYTES + 1))
    before = len(os.listdir("/dev/fd"))
    envelope = read(b"<a>" + (b"<DocData>" + large + b"</DocData>") * 40 + b"</a>")
    assert len(os.listdir("/dev/fd")) <= before
    assert {document.content.size_bytes for document in envelope.documents} == {INLINE_BYTES + 1}
    broken = read(b"<a>" + (b"<DocData>%" + large + b"</DocData>") * 40 + b"</a>")
    assert len(os.listdir("/dev/fd")) <= before
    assert {document.encoding for document in broken.documents} == {"undecodable"}


def test_many_small_documents_lie_in_files_beyond_what_one_request_may_hold_in_memory(read: Read) -> None:
    content = bytes(100_000)
    envelope = read(b"<a>" + (b"<DocData>" + base64.b64encode(content) + b"</DocData>") * 120 + b"</a>")
    in_memory = [document for document in envelope.documents if document.content.inline is not None]
    assert INLINE_BYTES_OF_ALL <= len(in_memory) * len(content) < INLINE_BYTES_OF_ALL + 2 * INLINE_BYTES
    assert all(document.content.open().read() == content for document in envelope.documents)


def test_a_cdata_section_as_long_as_the_setting_allows_is_taken(read: Read) -> None:
    content = bytes(12_000_000)
    body = b"<a><DocData><![CDATA[" + base64.b64encode(content) + b"]]></DocData></a>"
    assert rules_of(read(body)) == ["XML-010"]
    (document,) = read(body, limits=replace(LIMITS, text_chars=20_000_000)).documents
    assert document.content.open().read() == content


def test_names_count_as_what_is_not_in_a_document(read: Read) -> None:
    names = b"".join(b"<n%0999d/>" % n for n in range(5000))
    assert rules_of(read(b"<a>" + names + b"</a>")) == ["XML-010"]


def test_a_path_is_no_longer_than_a_thousand_characters_and_no_two_are_the_same(read: Read) -> None:
    deep = b"".join(b"<n%0500d>" % n for n in range(60))
    envelope = read(b"<a>" + deep + b"".join(b"</n%0500d>" % n for n in reversed(range(60))) + b"</a>")
    assert envelope.root is not None
    paths = [envelope.path(element) for element in envelope.root.iter()]
    assert max(map(len, paths)) <= 1001
    envelope = read(b'<a><x xmlns="u1"/><x xmlns="u2"/></a>')
    assert envelope.root is not None
    assert [envelope.path(element) for element in envelope.root] == ["/a/x[1]", "/a/x[2]"]


def test_the_line_of_a_bad_byte_in_utf_16_is_counted_in_characters(read: Read) -> None:
    body = f"<a>{chr(0x0A0A) * 50}\n".encode("utf-16-le") + b"\0\xd8<\0"
    (deviation,) = read(b"\xff\xfe" + body, codec="utf-16").deviations
    assert (deviation.rule, deviation.line) == ("XML-002", 2)


def test_the_name_of_an_unknown_entity_is_not_told_for_it_may_be_a_piece_of_a_password(read: Read) -> None:
    (deviation,) = read(b"<a><Password>pa&s3cr3t;word</Password></a>").deviations
    assert deviation.rule == "XML-003"
    assert "s3cr3t" not in deviation.found


def test_an_xml_declaration_full_of_white_space_is_read(read: Read) -> None:
    declaration = b'<?xml version="1.0"' + b" " * 3000 + b'encoding="ISO-8859-1"?>'
    envelope = read(declaration + b"<a>\xe9</a>", codec=None)
    assert envelope.root is not None
    assert envelope.root.text == "\xe9"


def test_paths_have_the_envelope_s_prefixes_and_positions_only_among_equals(read: Read) -> None:
    envelope = read(b'<s:a xmlns:s="urn:s"><b xmlns="urn:b"><c/><c/><d/></b><s:e/></s:a>')
    assert envelope.root is not None
    assert [envelope.path(element) for element in envelope.root.iter()] == [
        "/s:a", "/s:a/b", "/s:a/b/c[1]", "/s:a/b/c[2]", "/s:a/b/d", "/s:a/s:e",
    ]  # fmt: skip


@pytest.mark.parametrize("codec", ["utf-8", "utf-16", "iso8859-1"])
def test_lines_are_those_of_the_start_tags_in_the_raw_envelope(read: Read, codec: str) -> None:
    text = (
        '<?xml version="1.0"?>\n<!-- \n -->\n<a\n x="1">\n<b/><b\n/><DocData>QUJD\nQUJD</DocData>\r\n<c>\u00e9</c></a>'
    )
    envelope = read(text.encode(codec), codec=codec)
    assert envelope.root is not None
    assert [envelope.line(element) for element in envelope.root.iter()] == [4, 6, 6, 7, 9]


def test_lines_are_exact_beyond_65535(read: Read) -> None:
    envelope = read(b"<a><DocData>" + b"QUJD\n" * 300_000 + b"</DocData>\n\n<b/></a>")
    assert envelope.root is not None
    assert envelope.line(envelope.root[1]) == 300_003


def test_a_message_that_deviates_in_nothing_is_read_once(read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("soapsvc.wire.envelope_reader.index_lines", None)
    assert rules_of(read(GOOD.encode())) == []


UNREADABLE = {
    b"": ("XML-001", 1),
    b"\n\n": ("XML-003", 3),
    b"\x1f\x8b\x08\x00\x00": ("XML-002", 1),
    b"%PDF-1.4\n": ("XML-003", 1),
    b"<a>\n<b>\n</a>": ("XML-003", 3),
    b"<a>\n</a>\n<b/>": ("XML-003", 3),
    b"<a>\n</a>\ntext": ("XML-003", 3),
    b"<a>\n&e;</a>": ("XML-003", 2),
    b"\xef\xbb\xbf\xef\xbb\xbf<a/>": ("XML-003", 1),
    b"<a>\n<b c='&e;'/></a>": ("XML-003", 2),
    b"<a>\n<b c='1' c='2'/></a>": ("XML-003", 2),
    b"<a>\n\n<x:b/></a>": ("XML-003", 3),
    b"<a>\n<b x:c=''/></a>": ("XML-003", 2),
    b"<a\n xmlns:p='u' xmlns:q='u' p:c='' q:c=''/>": ("XML-003", 2),
    b"<a xmlns:xmlns='urn:x'/>": ("XML-003", 1),
    b"<a xmlns:xml='urn:x'/>": ("XML-003", 1),
    b"<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>": ("XML-003", 1),
    b"<a xmlns='http://www.w3.org/2000/xmlns/'/>": ("XML-003", 1),
    b"<a xmlns:p=''/>": ("XML-003", 1),
    b"<a:b:c xmlns:a='urn:a'/>": ("XML-003", 1),
    b"<a>\n\x00</a>": ("XML-003", 2),
    b"<a>\n<b c='\x00'/></a>": ("XML-003", 2),
    b"<a>&#0;</a>": ("XML-003", 1),
    b"<a>&#x1F;</a>": ("XML-003", 1),
    b"<a>&#xD800;</a>": ("XML-003", 1),
    b"<a>\x0b</a>": ("XML-003", 1),
    b"<a>\xef\xbf\xbf</a>": ("XML-003", 1),
    b"<a>]]></a>": ("XML-003", 1),
    b"<a><!-- -- --></a>": ("XML-003", 1),
    b"<a><![CDATA[x</a>": ("XML-003", 1),
    b" <?xml version='1.0'?><a/>": ("XML-003", 1),
    b"<a>\n\xc3\x28</a>": ("XML-002", 2),
    b"+ADw-a/+AD4-": ("XML-003", 1),
    b"<!DOCTYPE a>\n<a/>": ("XML-004", 1),
    b"\n<!-- x -->\n<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>": ("XML-004", 3),
    b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>": ("XML-004", 1),
    b"<!DOCTYPE a PUBLIC '-//x' 'http://192.0.2.1/x.dtd'><a/>": ("XML-004", 1),
}


@pytest.mark.parametrize("body", UNREADABLE)
def test_what_cannot_be_read_is_one_deviation_with_its_line(read: Read, body: bytes) -> None:
    envelope = read(body)
    rule, line = UNREADABLE[body]
    assert [(deviation.rule, deviation.line) for deviation in envelope.deviations] == [(rule, line)]
    assert envelope.root is None
    assert envelope.documents == ()


def test_an_instruction_whose_name_expat_does_not_take_has_the_line_where_expat_stopped(read: Read) -> None:
    envelope = read(GOOD.replace("<s:Body>", "\n<?x\u0400 y?><s:Body>").encode())
    (deviation,) = envelope.deviations
    assert (deviation.rule, deviation.line) == ("XML-005", GOOD[: GOOD.index("<s:Body>")].count("\n") + 2)


def test_processing_instructions_are_told_each_with_its_line_and_counted_beyond_twenty(read: Read) -> None:
    envelope = read(b"<?a b?>\n<a>\n<?c?>\n" + b"<?d?>" * 30 + b"</a>\n<?e?>")
    assert envelope.root is not None
    assert [d.line for d in envelope.deviations[:3]] == [1, 3, 4]
    assert len(envelope.deviations) == 21
    assert "13 further" in envelope.deviations[-1].found


def test_limits_are_held_at_their_number(read: Read) -> None:
    limits = replace(LIMITS, depth=4, elements=6, attributes=2, name_chars=16, text_chars=80, documents=1)
    within = b"<a b='1' c='2'><b><c><d/></c></b><DocData>" + b"QUJD" * 100 + b"</DocData></a>"
    assert rules_of(read(within, limits=limits)) == []
    for broken, rule, line in (
        (b"<a><b><c><d>\n<e/></d></c></b></a>", "XML-006", 2),
        (b"<a>\n<b/><b/><b/>\n<b/><b/><b/></a>", "XML-007", 3),
        (b"<a>\n<b c='' d='' e=''/></a>", "XML-008", 2),
        (b"<a>\n<b xmlns:c='urn:c' d='' e=''/></a>", "XML-008", 2),
        (b"<a>\n<bbbbbbbbbbbbbbbbb/></a>", "XML-009", 2),
        (b"<a>\n<b ccccccccccccccccc=''/></a>", "XML-009", 2),
        (b"<a>\n<b xmlns='urn:aaaaaaaaaaaaa'/></a>", "XML-009", 2),
        (b"<a><b>" + b"x" * 81 + b"</b></a>", "XML-010", 1),
        (b"<a><b c='" + b"x" * 81 + b"'/></a>", "XML-010", 1),
        (b"<a><!--" + b"x" * 81 + b"--></a>", "XML-010", 1),
        (b"<a><DocData><b>" + b"x" * 81 + b"</b></DocData></a>", "XML-010", 1),
        (b"<a><DocData/>\n<DocData/></a>", "XML-011", 2),
    ):
        (deviation,) = read(broken, limits=limits).deviations
        assert (deviation.rule, deviation.line) == (rule, line), broken


def test_a_stream_that_gives_little_at_a_time_is_read_to_its_end(tmp_path: Path) -> None:
    class Dripping(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 7))

    with Spool(tmp_path) as spool:
        envelope = read_envelope(
            read_raw(Dripping(GOOD.encode()), spool),
            codec=None,
            limits=LIMITS,
            document_names=DOCUMENT_NAMES,
            spool=spool,
        )
        assert envelope.raw.inline == GOOD.encode()
        assert envelope.deviations == ()
        assert read_raw(Dripping(b"x" * 300_000), spool).size_bytes == 300_000


def test_a_full_disk_while_a_document_is_written_is_an_oserror_and_not_a_deviation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    body = b"<a><DocData>" + b"QUJD" * INLINE_BYTES + b"</DocData></a>"
    with Spool(tmp_path) as spool:
        sink = spool.sink()
        monkeypatch.setattr(sink, "write", no_room)
        monkeypatch.setattr(spool, "sink", lambda: sink)
        with pytest.raises(OSError, match="No space left"):
            read_envelope(Content.of(body), codec="utf-8", limits=LIMITS, document_names=DOCUMENT_NAMES, spool=spool)


def test_memory_does_not_grow_with_the_document(tmp_path: Path) -> None:
    """In a process of its own: a document of 60 MB costs less than 16 MB over one of a kilobyte."""
    program = """
import base64, re, sys
from pathlib import Path
from soapsvc.settings import OwnSettings
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import Limits, read_envelope, read_raw
class Made:
    def __init__(self, lines):
        self.parts = iter([b"<a><DocData>", *[LINES] * lines, b"</DocData></a>"]); self.held = b""
    def read(self, size):
        while len(self.held) < size and (part := next(self.parts, b"")):
            self.held += part
        piece, self.held = self.held[:size], self.held[size:]
        return piece
LINES = base64.encodebytes(bytes(range(256)) * 57)
def peak(lines):
    with Spool(Path(sys.argv[1])) as spool:
        envelope = read_envelope(read_raw(Made(lines), spool), codec=None, limits=Limits.from_settings(OwnSettings()),
                                 document_names=frozenset({"docdata"}), spool=spool)
        assert envelope.documents[0].content.size_bytes == lines * 256 * 57
        assert envelope.line(envelope.root[0]) == 1
    return int(re.search("VmHWM:.*?([0-9]+) kB", Path("/proc/self/status").read_text())[1])
small = peak(1)
print(peak(60_000_000 // (256 * 57)) - small)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True, timeout=120
    )
    assert int(done.stdout) < 16 * 1024


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    body = draw(st.sampled_from([GOOD.encode(), declared("UTF-16").encode("utf-16"), GOOD.encode("utf-8-sig")]))
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(body)))
        until = min(len(body), at + draw(st.integers(0, 40)))
        put = draw(
            st.one_of(
                st.just(b""),
                st.binary(max_size=6),
                st.sampled_from(
                    [
                        b"<",
                        b"</",
                        b">",
                        b"&",
                        b"]]>",
                        b"<![CDATA[",
                        b"<!--",
                        b"-->",
                        b"<?",
                        b"?>",
                        b"\0",
                        b"\xff\xfe",
                        b"'",
                        b'"',
                        b"&#0;",
                        b"&lt;",
                        b"<!DOCTYPE s [",
                        b" xmlns:s=''",
                        b" s:x=''",
                        b"<s:Body/>",
                        b"\r",
                        b"=",
                    ]
                ),
                st.just(body[at:until] * 2),
            )
        )
        body = body[:at] + put + body[until:]
    return body


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations(), st.sampled_from([None, "utf-8", "utf-16", "utf-16-le", "iso8859-1", "cp1252", "ascii"]))
def test_mutated_bytes_raise_nothing_and_raw_is_kept_whole(read: Read, body: bytes, codec: str | None) -> None:
    envelope = read(body, codec=codec)
    deviations: list[Deviation] = [*envelope.deviations]
    if envelope.root is None:
        assert any(RULES[deviation.rule].severity == "fatal" for deviation in deviations)
    else:
        deviations += check_soap(envelope, UNDERSTOOD)
        deviations += [deviation for document in envelope.documents for deviation in document.deviations]
    last_line = body.count(b"\n") + 1
    for deviation in deviations:
        assert deviation.rule in RULES
        assert deviation.line is not None
        assert 1 <= deviation.line <= last_line
        assert len(deviation.found) < 1000


def test_what_is_escaped_in_an_attribute_is_read_as_it_is_meant(read: Read) -> None:
    body = b"""<a b="1 &amp; 2 &lt; 3 &gt; 2 &quot;&apos;&#38;&#x41;"/>"""
    root = read(body).root
    assert root is not None
    assert root.get("b") == "1 & 2 < 3 > 2 \"'&A"
