"""`soapsvc inbox export`: a directory that can be gone on with, and a ZIP file that is never written over."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from soapsvc.inbox_export import DirectoryExport
from tests.cli.conftest import EVIL, REPORT, Inbox
from tests.commands import soapsvc


def export(inbox: Inbox, *words: str, code: int = 0) -> str:
    done = soapsvc("inbox", "export", *words, "--inbox", inbox.url)
    assert done.returncode == code, done.stderr
    return done.stderr


def files_in(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture
def three(inbox: Inbox) -> list[str]:
    """A report of two documents, one under a name that a sender made up, and what was refused."""
    return [
        inbox.accept(inbox.push(1, REPORT, b"two")).id,
        inbox.accept(inbox.push(2, filename=f"../../{EVIL}")).id,
        inbox.refuse(b"\0\1no xml"),
    ]


def test_a_directory_has_each_push_with_record_envelope_and_documents(
    inbox: Inbox, three: list[str], tmp_path: Path
) -> None:
    there = tmp_path / "out"
    assert "3 pushes written" in export(inbox, str(there))
    found = files_in(there)
    first, second, refused = three
    record = json.loads(found[f"{first}/record.json"])
    assert record["id"] == first
    assert [found[f"{first}/{record['files'][n]}"] for n in "12"] == [REPORT, b"two"]
    assert found[f"{first}/envelope.xml"] == b"<Envelope>1</Envelope>"
    (name,) = [name for name in found if name.startswith(f"{second}/documents/")]
    assert name.isprintable()
    assert name.count("/") == 2
    assert {name for name in found if name.startswith(refused)} == {f"{refused}/record.json", f"{refused}/envelope.bin"}
    assert found[f"{refused}/envelope.bin"] == b"\0\1no xml"


def test_a_directory_is_gone_on_with_and_what_was_left_half_done_is_done_anew(
    inbox: Inbox, three: list[str], tmp_path: Path
) -> None:
    there = tmp_path / "out"
    DirectoryExport(there).put(inbox.store, three[0])
    half = there / f".{three[1]}.part"
    half.mkdir()
    (half / "record.json").write_text("half")
    before = files_in(there / three[0])
    assert "2 pushes written" in export(inbox, str(there))
    assert files_in(there / three[0]) == before
    assert sorted(path.name for path in there.iterdir()) == sorted(three)


def test_a_zip_file_has_the_same_and_is_never_written_over(inbox: Inbox, three: list[str], tmp_path: Path) -> None:
    there, file = tmp_path / "out", tmp_path / "out.zip"
    export(inbox, str(there))
    export(inbox, str(file))
    with zipfile.ZipFile(file) as packed:
        assert packed.testzip() is None
        assert {name: packed.read(name) for name in packed.namelist()} == files_in(there)
    before = file.read_bytes()
    assert "already" in export(inbox, str(file), code=2)
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_what_is_exported_can_be_narrowed(inbox: Inbox, three: list[str], tmp_path: Path) -> None:
    for words, wanted in (
        (("--state", "quarantined"), three[2:]),
        (("--kind", "report", "--state", "accepted"), three[:2]),
        (("--since", "2026-11-23T08:00:02", "--until", "2026-11-23T08:00:03"), three[1:2]),
        (("--since", "2026-11-24",), []),
    ):  # fmt: skip
        there = tmp_path / "-".join(words).replace(":", "")
        export(inbox, str(there), *words)
        assert sorted(path.name for path in there.iterdir()) == sorted(wanted), words
