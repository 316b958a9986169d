"""Stored pushes as files: a folder each, with the record, the documents under safe names, and the raw envelope.

    ID/record.json                 the object of `soapsvc inbox show --json`, with the documents' names under `files`
    ID/envelope.xml                every byte of the request body (envelope.bin where it was no XML)
    ID/documents/1-report.csv      number and name of the document, decoded

A directory can be gone on with: a push is written as `.ID.part` and renamed when it is whole, so what has its name is
left alone. A ZIP file is made under a temporary name, and never over another file.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from soapsvc.errors import NoSuchPush
from soapsvc.inbox.json_forms import stored_object
from soapsvc.inbox.store import InboxStore
from soapsvc.records import PushState, StoredPush
from soapsvc.targets.file_names import safe_name

PIECE_BYTES = 1024 * 1024


class Export(Protocol):
    """Where pushes are exported to."""

    def put(self, store: InboxStore, push_id: str) -> bool:
        """Write one push. False: it is there already, or was removed meanwhile. Errors: OSError, StoreUnavailable."""

    def finish(self) -> None:
        """All of it is there."""


class DirectoryExport:
    """Into a directory, which is made where it is missing."""

    def __init__(self, directory: Path):
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def put(self, store: InboxStore, push_id: str) -> bool:
        whole, part = self._directory / push_id, self._directory / f".{push_id}.part"
        if whole.exists():
            return False
        shutil.rmtree(part, ignore_errors=True)  # of a run that was ended
        try:
            for name, stream in files_of(store, push_id):
                path = part / name
                path.parent.mkdir(parents=True, exist_ok=True)
                with stream, path.open("xb") as file:
                    shutil.copyfileobj(stream, file, PIECE_BYTES)
                    file.flush()
                    os.fsync(file.fileno())
        except NoSuchPush:
            shutil.rmtree(part, ignore_errors=True)
            return False
        part.rename(whole)
        return True

    def finish(self) -> None:
        handle = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class ZipExport:
    """Into a new ZIP file. Errors: FileExistsError: there is one."""

    def __init__(self, file: Path):
        self._file, self._part = file, file.with_name(f".{file.name}.part")
        if file.exists():
            raise FileExistsError(f"{file} is there already")
        self._zip = zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED)

    def put(self, store: InboxStore, push_id: str) -> bool:
        try:
            for name, stream in files_of(store, push_id):
                with stream, self._zip.open(f"{push_id}/{name}", "w", force_zip64=True) as member:
                    shutil.copyfileobj(stream, member, PIECE_BYTES)
        except NoSuchPush:
            return False
        return True

    def finish(self) -> None:
        self._zip.close()
        os.link(self._part, self._file)  # fails where somebody made it meanwhile
        self._part.unlink()


def files_of(store: InboxStore, push_id: str) -> Iterator[tuple[str, BinaryIO]]:
    """Name and content of each file of one push, the record first. Errors: NoSuchPush, StoreUnavailable."""
    stored = store.stored(push_id)
    documents = _document_names(stored) if stored.row.state is PushState.ACCEPTED else {}
    record = stored_object(stored) | {"files": {str(n): name for n, name in documents.items()}}
    yield "record.json", io.BytesIO(json.dumps(record, ensure_ascii=False, indent=1).encode("utf-8", "replace"))
    raw = store.open_raw(push_id)
    yield ("envelope.xml" if stored.root else "envelope.bin"), raw
    for n, name in documents.items():
        yield name, store.open_document(push_id, n)


def _document_names(stored: StoredPush) -> dict[int, str]:
    return {one.n: f"documents/{one.n}-{safe_name(one.filename or 'document')}" for one in stored.row.documents}
