"""What a push is to carry, before it is an envelope."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from soapsvc.records import JobId
from soapsvc.sender.document_files import charset_of, doctype_of

SEGMENT = "Default"  # the group that the vendor's own samples have for the properties of the message [S7]


@dataclass(frozen=True, slots=True)
class SentDocument:
    """One document that goes out.

    filename  as it is to be told
    doctype   DocType of the contract: text, PDF, TIFF, … (`document_files.doctype_of`)
    charset   CharacterSet; None: it is no text
    """

    filename: str
    content: bytes = field(repr=False)
    doctype: str
    charset: str | None

    @classmethod
    def of(cls, filename: str, content: bytes, doctype: str | None = None) -> SentDocument:
        """The document of a file; doctype None: by its name, and the charset by its bytes."""
        kind = doctype or doctype_of(filename)
        return cls(filename, content, kind, charset_of(content, kind))

    @classmethod
    def read(cls, file: Path, doctype: str | None = None) -> SentDocument:
        """The same of a file on disk. Errors: OSError."""
        return cls.of(file.name, file.read_bytes(), doctype)


@dataclass(frozen=True, slots=True)
class PushContent:
    """Documents, properties, job and SubmitId of a push that is to be made.

    properties  (name, value), in one group of the name `segment`
    submit_id   None: told only where the contract demands one
    """

    documents: tuple[SentDocument, ...] = ()
    properties: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    job: JobId | None = None
    submit_id: str | None = None
    segment: str = SEGMENT
