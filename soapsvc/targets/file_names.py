"""Names of files made of what a sender wrote: each part one safe name, by the operator's template."""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from soapsvc.errors import SettingsError
from soapsvc.targets.target import OutgoingDocument, OutgoingPush

NAME_BYTES = 150  # of one name in UTF-8: file systems take 255, and side files and numbers come behind it
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?")  # names of devices on Windows
_SUFFIXES = {"text": ".txt", "pdf": ".pdf", "tiff": ".tif", "html": ".html", "rtf": ".rtf", "ps": ".ps", "pcl": ".pcl"}
FIELDS = {
    "job": "XDN-MRN",
    "xdn": "the job's domain",
    "mrn": "the job's number",
    "received": "time in UTC, such as {received:%Y-%m-%d}",
    "filename": "the document's own name",
    "id": "of the push",
    "kind": "report, fax, cdr or other",
    "n": "number of the document, from 1",
}


class NameTemplate:
    """A template such as `{job}/{received:%Y-%m-%d}/{filename}`.

    Errors  SettingsError: what it names is not known, or it leads out of the directory
    """

    def __init__(self, template: str):
        self._template = template
        steps = template.split("/")
        if template.startswith("/") or "" in steps or "." in steps or ".." in steps or "\\" in template:
            raise SettingsError(
                f"the template of file names {template!r} must be a relative path without empty steps, . and .., such "
                "as {job}/{filename}"
            )
        self._steps = steps
        self._made({name: datetime(2000, 1, 1, tzinfo=UTC) if name == "received" else "x" for name in FIELDS})

    def path(self, push: OutgoingPush, document: OutgoingDocument | None) -> str:
        """The relative path for one document; None: for a push that has none."""
        job = push.job
        filename = f"push-{push.id}" if document is None else _filename(document)
        values = {
            "job": "-".join(part for part in (job.xdn, job.mrn) if part) if job else "no-job",
            "xdn": (job and job.xdn) or "no-xdn",
            "mrn": (job and job.mrn) or "no-mrn",
            "received": push.received_at.astimezone(UTC),
            "filename": filename,
            "id": push.id,
            "kind": push.kind.value,
            "n": "0" if document is None else str(document.n),
        }
        return self._made(values)

    def _made(self, values: dict[str, Any]) -> str:
        return "/".join(safe_name(_Fields(self._template).vformat(step, (), values)) for step in self._steps)


class _Fields(string.Formatter):
    """Fills in the fields and nothing else: no attributes, no items, no conversions."""

    def __init__(self, template: str):
        self._whole = template

    def parse(self, format_string: str) -> Any:
        try:
            yield from super().parse(format_string)
        except ValueError as error:
            raise SettingsError(f"the template of file names {self._whole!r} cannot be read: {error}") from None

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:
        if field_name not in kwargs:
            listed = "; ".join(f"{{{name}}}: {what}" for name, what in FIELDS.items())
            raise SettingsError(
                f"the template of file names {self._whole!r} has a field {{{field_name}}}; there are {listed}"
            )
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if format_spec and not isinstance(value, datetime):
            raise SettingsError(f"the template of file names {self._whole!r}: only {{received:…}} takes a format")
        if isinstance(value, datetime):
            return value.strftime(format_spec or "%Y%m%dT%H%M%SZ")
        return str(value)


def _filename(document: OutgoingDocument) -> str:
    if document.filename and document.filename.strip():
        return document.filename
    return f"document-{document.n}{_SUFFIXES.get((document.doctype or '').lower(), '.bin')}"


def document_name(document: OutgoingDocument) -> str:
    """One safe name for a document, whatever its sender called it."""
    return safe_name(_filename(document))


def safe_name(name: str) -> str:
    """One step of a path, of at most NAME_BYTES: no separators, controls, marks of writing direction, leading dots or
    names that a system reserves; its suffix stays."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    text = "".join("_" if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else c for c in text)
    text = _UNSAFE.sub("_", text).strip()
    text = re.sub(r"^\.+", lambda dots: "_" * len(dots[0]), text).rstrip(". ")
    if not text or _RESERVED.fullmatch(text):
        text = f"_{text}"
    return _shortened(text)


def _shortened(name: str) -> str:
    if len(name.encode()) <= NAME_BYTES:
        return name
    suffix = PurePosixPath(name).suffix
    if len(suffix.encode()) > 16:
        suffix = ""
    room = NAME_BYTES - len(suffix.encode())
    return name.encode()[:room].decode("utf-8", "ignore") + suffix


def numbered(path: str, n: int) -> str:
    """The path for the nth file that wants this name: report.csv, report-2.csv, report-3.csv."""
    if n == 1:
        return path
    pure = PurePosixPath(path)
    return str(pure.with_name(f"{pure.stem}-{n}{pure.suffix}"))
