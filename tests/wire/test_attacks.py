"""Messages that are made to hurt a parser: each is refused for the right rule, and at a bounded price."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from soapsvc.settings import OwnSettings
from soapsvc.wire import plain_envelope
from soapsvc.wire.envelope_target import Limits
from soapsvc.wire.line_index import LineIndex, index_lines
from tests.wire.conftest import Read, rules_of

BILLION_LAUGHS = (
    b'<!DOCTYPE a [<!ENTITY a0 "ha">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><a b='&a11;'>&a11;</a>"
)

ATTACKS = {
    "billion laughs": (BILLION_LAUGHS, "XML-004"),
    "quadratic blow-up": (
        b'<!DOCTYPE a [<!ENTITY b "' + b"x" * 100_000 + b'">]><a>' + b"&b;" * 10_000 + b"</a>", "XML-004"),
    "an external entity": (b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "XML-004"),
    "a parameter entity": (b'<!DOCTYPE a [<!ENTITY % b SYSTEM "http://192.0.2.1/">%b;]><a/>', "XML-004"),
    "an internal subset of 20 MB": (b"<!DOCTYPE a [" + b"<!-- x -->" * 2_000_000 + b"]><a/>", "XML-004"),
    "a DOCTYPE that never ends": (b"<!DOCTYPE a [" + b" " * 20_000_000, "XML-010"),
    "a million levels": (b"<a>" * 1_000_000, "XML-006"),
    "a million elements": (b"<a>" + b"<b/>" * 1_000_000, "XML-007"),
    "attributes": (b"<a " + b" ".join(b'a%d=""' % n for n in range(20_000)) + b"/>", "XML-008"),
    "a million attributes": (b"<a " + b" ".join(b'a%d=""' % n for n in range(1_000_000)) + b"/>", "XML-010"),
    "namespace declarations": (b"<a " + b" ".join(b'xmlns:a%d="u"' % n for n in range(20_000)) + b"/>", "XML-008"),
    "declarations on every level": (
        b"".join(b"<a%d " % n + b" ".join(b'xmlns:a%dx%d="u"' % (n, m) for m in range(60)) + b">" for n in range(70)),
        "XML-006"),
    "a name of 40,000 characters": (b"<" + b"a" * 40_000 + b"/>", "XML-009"),
    "a name of 10 MB": (b"<" + b"a" * 10_000_000 + b"/>", "XML-010"),
    "two large attributes": (b'<a b="' + b"x" * 3_000_000 + b'" c="' + b"x" * 2_000_000 + b'"/>', "XML-010"),
    "an attribute of 20 MB": (b'<a b="' + b"x" * 20_000_000 + b'"/>', "XML-010"),
    "a comment of 20 MB": (b"<a><!--" + b"x" * 20_000_000 + b"--></a>", "XML-010"),
    "a million comments": (b"<a>" + b"<!--xxxxx-->" * 1_000_000 + b"</a>", "XML-010"),
    "an instruction of 20 MB": (b"<a><?x " + b"x" * 20_000_000 + b"?></a>", "XML-010"),
    "text of 20 MB outside a document": (b"<a>" + b"x" * 20_000_000 + b"</a>", "XML-010"),
    "character references": (b"<a>" + b"&#120;" * 5_000_000 + b"</a>", "XML-010"),
    "unbound prefixes": (b"<a>" + b"<x:b/>" * 1_000_000 + b"</a>", "XML-003"),
    "a tag that never ends": (b"<a " + b" " * 20_000_000, "XML-010"),
    "an end tag that never ends": (b"<a></a" + b" " * 20_000_000, "XML-010"),
    "ten thousand documents": (b"<a>" + b"<DocData/>" * 10_000 + b"</a>", "XML-011"),
}  # fmt: skip


@pytest.mark.parametrize("what", ATTACKS)
def test_an_attack_is_refused_and_kept_as_sent(read: Read, what: str) -> None:
    body, rule = ATTACKS[what]
    envelope = read(body)
    assert envelope.root is None
    assert rules_of(envelope)[-1] == rule


def test_a_message_in_utf_7_is_no_message(read: Read) -> None:
    assert read(b"+ADwAYQ-/+AD4-", codec=None).root is None


def test_an_external_entity_opens_no_file_and_no_connection(read: Read, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cr3t")
    body = f'<!DOCTYPE a [<!ENTITY b SYSTEM "{secret.as_uri()}">]><a><DocData>&b;</DocData></a>'.encode()
    envelope = read(body)
    assert envelope.documents == ()
    assert "s3cr3t" not in repr(envelope.deviations)


@pytest.mark.parametrize("what", ["a million attributes", "a comment of 20 MB", "a million levels", "unbound prefixes"])
def test_an_attack_costs_little_memory(what: str, tmp_path: Path) -> None:
    """In a process of its own that may have 160 MB in all for what is 3 to 20 MB on the wire."""
    program = """
import re, sys
from pathlib import Path
from soapsvc.settings import OwnSettings
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import Limits, read_envelope, read_raw
with Spool(Path(sys.argv[1]).parent) as spool, open(sys.argv[1], "rb") as body:
    envelope = read_envelope(read_raw(body, spool), codec=None, limits=Limits.from_settings(OwnSettings()),
                             document_names=frozenset({"docdata"}), spool=spool)
assert envelope.root is None
print(re.search("VmHWM:.*?([0-9]+) kB", Path("/proc/self/status").read_text())[1])
"""
    file = tmp_path / "body"
    file.write_bytes(ATTACKS[what][0])
    done = subprocess.run([sys.executable, "-c", program, str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 160 * 1024


def test_the_lines_of_a_small_message_are_found_by_reading_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of its elements deviate: each asks for its line."""
    read_again: list[int] = []

    def counted(pieces: Iterable[bytes]) -> LineIndex:
        read_again.append(1)
        return index_lines(pieces)

    monkeypatch.setattr(plain_envelope, "index_lines", counted)
    body = b"<a>\n" + b"<b/>\n" * 1000 + b"</a>"
    envelope = plain_envelope.read_plain(
        plain_envelope.PlainBody.of(body),
        None,
        limits=Limits.from_settings(OwnSettings()),
        document_names=frozenset({"DocData"}),
    )
    assert envelope is not None
    assert [envelope.line(element) for element in envelope.elements] == [1, *range(2, 1002)]
    assert read_again == [1]
