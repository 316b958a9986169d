"""The target that keeps a push as files: in a directory, on an FTP or SFTP site, in an object store.

    report.csv                a document, by the template of names
    report.csv.envelope.xml   with side files: the SOAP envelope as it came, or was sent
    report.csv.json           with side files, and written last: the record, with `files`, the name of each document

A file appears under its name when it is whole, and never in the place of another. Where the name is taken, the same
bytes count as there already, unless the record beside them belongs to another push; otherwise the next number is taken.
So an attempt that was cut off between any two steps is completed by the next one, which also clears away what that had
half written: hidden files whose names have the push's mark.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import posixpath
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from soapsvc.errors import StoreError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.file_names import NameTemplate, numbered
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.places import Place, sha256_of
from soapsvc.targets.target import DeliveryFailed, OutgoingDocument, OutgoingPush, Receipt

ENVELOPE_SUFFIX, RECORD_SUFFIX = ".envelope.xml", ".json"
MAX_OF_A_NAME = 1000  # files that may want one name; more is a template that tells too little
MARK_CHARS = 16  # hexadecimal digits of a digest: 64 bits tell the pushes of one directory apart
RECORD_BYTES = 4 * 1024 * 1024  # read of a record to see whose it is


class FileTarget:
    """A root that a place is opened for with every push.

    open_place  with the deadline of the delivery. Errors: OSError, DeliveryFailed
    """

    def __init__(
        self, url: str, open_place: Callable[[Deadline], Place], options: TargetOptions, *, template: str, record: bool
    ):
        self._url, self._open_place, self._options = url, open_place, options
        self._template, self._record = NameTemplate(template), record or options.side_files

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        """A place is closed with each push."""

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Put every document there, then the side files. Errors: DeliveryFailed."""
        deadline = Deadline(self._options.total_seconds, self._url)
        try:
            place = self._open_place(deadline)
            try:
                reference = _Hand(place, push, deadline).put_all(self._template, self._record)
            finally:
                place.close()
        except (OSError, StoreError) as error:
            raise DeliveryFailed(f"{self._url} did not take the push: {_reason(error)}", may_repeat=True) from error
        return Receipt(self._url, self._options.clock(), reference)


class _Hand:
    """Puts the files of one push into an open place."""

    def __init__(self, place: Place, push: OutgoingPush, deadline: Deadline):
        self._place, self._push, self._deadline = place, push, deadline
        self._mark = hashlib.sha256(push.id.encode("utf-8", "replace")).hexdigest()[:MARK_CHARS]

    def put_all(self, template: NameTemplate, record: bool) -> str:
        push = self._push
        wanted = [(document, template.path(push, document)) for document in push.documents]
        if push.is_repeat:
            self._clear([path for _, path in wanted] or [template.path(push, None)])
        names = [self._put_document(document, path) for document, path in wanted]
        if not record:
            return ", ".join(names) or "a push without documents"
        base = names[0] if names else self._free_base(template.path(push, None))
        self._put(base + ENVELOPE_SUFFIX, self._push.open_raw)
        told = json.dumps({**push.record, "id": push.id, "files": names}, ensure_ascii=False, indent=1, default=str)
        self._put(base + RECORD_SUFFIX, lambda: io.BytesIO(told.encode("utf-8", "replace")))
        return ", ".join(names or [base + RECORD_SUFFIX])

    def _clear(self, paths: Sequence[str]) -> None:
        """What an attempt before this one left half written. Were that still under way elsewhere, it would fail, and
        find the push there when it is tried again."""
        for directory in {posixpath.dirname(path) for path in paths}:
            with contextlib.suppress(OSError):  # it is no reason not to deliver
                self._place.clear(directory, self._mark)

    def _put_document(self, document: OutgoingDocument, wanted: str) -> str:
        for n in range(1, MAX_OF_A_NAME + 1):
            path = numbered(wanted, n)
            if self._holds(path, document) or self._put(path, document.open):
                return path
        raise DeliveryFailed(
            f"{MAX_OF_A_NAME} files have the name {wanted!r} or a number behind it; take {{id}} into the template",
            may_repeat=False,
        )

    def _holds(self, path: str, document: OutgoingDocument) -> bool:
        """Whether this document lies there, and not as another push's."""
        if self._place.size_bytes(path) != document.size_bytes or self._owner(path) not in (None, self._push.id):
            return False
        with self._place.open(path) as stream:
            return sha256_of(self._deadline.watched(stream)) == document.sha256

    def _free_base(self, wanted: str) -> str:
        for n in range(1, MAX_OF_A_NAME + 1):
            path = numbered(wanted, n)
            if self._owner(path) in (None, self._push.id):
                return path
        raise DeliveryFailed(f"{MAX_OF_A_NAME} records have the name {wanted!r}", may_repeat=False)

    def _owner(self, path: str) -> str | None:
        """The id of the push whose record lies beside a file; None: there is none that can be read."""
        record = path + RECORD_SUFFIX
        if (self._place.size_bytes(record) or RECORD_BYTES + 1) > RECORD_BYTES:
            return None
        with self._place.open(record) as stream:
            try:
                told: Any = json.loads(stream.read())
            except ValueError:
                return None
        return str(told["id"]) if isinstance(told, dict) and "id" in told else None

    def _put(self, path: str, open_source: Callable[[], BinaryIO]) -> bool:
        """Make the file; False: something has the name."""
        if self._place.size_bytes(path) is not None:
            return False
        with open_source() as source:
            return self._place.put(path, self._deadline.watched(source), self._mark)


def _reason(error: Exception) -> str:
    if isinstance(error, StoreError):
        return str(error)
    return str(getattr(error, "strerror", None) or error) or type(error).__name__
