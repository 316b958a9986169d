"""What a push carries: a report, a fax, CDRs. INFERRED throughout: nothing public tells how the vendor marks them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from soapsvc.contract.property_names import SUBJECT
from soapsvc.records import Document, JobId, Property, PushKind

_CDR = re.compile(r"(?<![a-z])cdrs?(?![a-z])|call[ _-]?detail", re.IGNORECASE)
_FAX = re.compile(r"(?<![a-z])fax(?:es)?(?![a-z])", re.IGNORECASE)
_REPORT = re.compile(r"report", re.IGNORECASE)
_FAX_PROPERTY = re.compile(
    r"fax|csid|tsid|calling_?(number|party)|called_?(number|party)|(?<![a-z])(ani|dnis)(?![a-z])|pages", re.IGNORECASE
)
_PAGES = frozenset({"image/tiff", "application/pdf"})


def kind_of(job: JobId | None, documents: tuple[Document, ...], properties: tuple[Property, ...]) -> PushKind:
    """The kind, by the first of these that holds:

    cdr     a file name or the subject has the word CDR or "call detail"
    fax     a document is a TIFF (reports are not), or a PDF or TIFF with properties that belong to a fax (fax, CSID,
            TSID, calling number, pages, …), or with the word fax and not the word report in a file name or the subject
    report  there is a document, and a job it belongs to or the word report in a file name or the subject
    other   everything else
    """
    titles = [document.filename or "" for document in documents]
    titles += [p.value for p in properties if p.name == SUBJECT]
    if _any(_CDR, titles):
        return PushKind.CDR
    types = {document.detected_type for document in documents}
    if "image/tiff" in types or (types & _PAGES and (_is_marked_fax(documents, properties) or _is_called_fax(titles))):
        return PushKind.FAX
    if documents and (job is not None or _any(_REPORT, titles)):
        return PushKind.REPORT
    return PushKind.OTHER


def _is_marked_fax(documents: tuple[Document, ...], properties: tuple[Property, ...]) -> bool:
    every_property = [*properties, *(p for document in documents for p in document.properties)]
    return any(_FAX_PROPERTY.search(p.name) for p in every_property if p.value.strip())


def _is_called_fax(titles: list[str]) -> bool:
    return _any(_FAX, titles) and not _any(_REPORT, titles)


def _any(word: re.Pattern[str], texts: Iterable[str]) -> bool:
    return any(word.search(text) for text in texts)
