"""What is known of a push beside what the database has to search for: one packed JSON object a row.

Twenty properties, a verdict and the HTTP headers are 2 KB of JSON, most of it words that every push has; packed they
take a fifth of that, and one column in place of a table.

Stored form
    dictionary     1 byte: its number in _DICTIONARIES
    JSON           raw deflate with that dictionary, UTF-8
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from soapsvc.records import (
    Arrival,
    Conformance,
    Deviation,
    Document,
    DropForm,
    InboxDocument,
    Origin,
    Property,
    Push,
    RefusedPush,
    Verdict,
)

Values = dict[str, Any]

_DICTIONARY = 1  # that is written; each that was ever written is read
_DEFLATE_LEVEL = 3  # two thirds of the time of 6, and a tenth more is left
_MEMORY_LEVEL = 5  # a record is small: less to be cleared for each, and no larger
_WINDOW_BITS, _MAX_WINDOW_BITS = -13, -15  # 8 KiB, raw; whatever was written can be read

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def pack(values: Values) -> bytes:
    """The stored form of a record."""
    deflate = zlib.compressobj(
        _DEFLATE_LEVEL, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL, zdict=_DICTIONARIES[_DICTIONARY]
    )
    # half a surrogate pair, which a decoded b64charset may bring, has no UTF-8: it becomes a question mark
    packed = deflate.compress(_encode(values).encode("utf-8", "replace"))
    return b"".join((bytes((_DICTIONARY,)), packed, deflate.flush()))


def unpack(stored: bytes) -> Values:
    """The record of a stored form. Errors: ValueError: it is none."""
    dictionary = _DICTIONARIES.get(stored[0] if stored else 0)
    if dictionary is None:
        raise ValueError("a record with a dictionary that is not known")
    try:
        values = json.loads(zlib.decompressobj(_MAX_WINDOW_BITS, zdict=dictionary).decompress(stored[1:]))
    except (zlib.error, UnicodeDecodeError) as error:
        raise ValueError(f"a record that is damaged: {error}") from error
    return values if isinstance(values, dict) else {}


def record_of(push: Push, verdict: Verdict) -> Values:
    """The record of an accepted push."""
    return _with_push(push, verdict, push.arrival)


def record_of_refused(refused: RefusedPush) -> Values:
    """The record of refused input: whatever could be read of it."""
    return _with_push(refused.push, refused.verdict, refused.arrival)


def after(values: Values, earlier: Values, judged_at: datetime) -> Values:
    """The same with the verdicts of an earlier record, the last of which was passed at that time."""
    last = {"at": judged_at.astimezone(UTC).isoformat(), **earlier["verdict"]}
    return values | {"history": [*earlier.get("history", ()), last]}


def verdict_of(values: Mapping[str, Any]) -> Verdict:
    """The verdict in force."""
    return _read_verdict(values["verdict"])


def history_of(values: Mapping[str, Any]) -> tuple[tuple[datetime, Verdict], ...]:
    """Those before it, each with its time, oldest first."""
    return tuple((datetime.fromisoformat(one["at"]), _read_verdict(one)) for one in values.get("history", ()))


def origin_of(values: Mapping[str, Any]) -> Origin | None:
    """Where it lay that did not come by HTTP."""
    kept = values.get("origin")
    if kept is None:
        return None
    at = datetime.fromisoformat(kept["at"]) if "at" in kept else None
    return Origin(kept["source"], kept["name"], DropForm(kept["form"]), at)


def properties_of(values: Mapping[str, Any]) -> tuple[Property, ...]:
    """The properties of the push, in the order of the envelope."""
    return _read_properties(values.get("properties", ()))


def documents_of(values: Mapping[str, Any]) -> tuple[InboxDocument, ...]:
    """The documents, from 1."""
    return tuple(
        InboxDocument(
            n=n,
            filename=one.get("filename"),
            doctype=one.get("doctype"),
            detected_type=one.get("detected_type"),
            charset=one.get("charset"),
            encoding=one.get("encoding", "base64"),
            size_bytes=one["size_bytes"],
            sha256=one["sha256"],
            properties=_read_properties(one.get("properties", ())),
        )
        for n, one in enumerate(values.get("documents", ()), 1)
    )


def storable(value: str | None) -> str | None:
    """Text that every database takes: PostgreSQL refuses NUL, and no UTF-8 has half a surrogate pair.

    XML allows neither; a decoded b64charset may bring them. The raw envelope has what was sent.
    """
    if value is None or (value.isascii() and "\0" not in value):
        return value
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


# What says nothing (None, "", an empty list) is left out of a record: there are twenty properties in each push.


def _with_push(push: Push | None, verdict: Verdict, arrival: Arrival) -> Values:
    values: Values = {"verdict": _verdict_values(verdict), "http_headers": list(arrival.http_headers)}
    if arrival.origin is not None:
        values["origin"] = _origin_values(arrival.origin)
    if push is None:
        return values
    return values | _told(
        {
            "root": storable(push.root),
            "status_code": storable(push.status_code),
            "processing_id": storable(push.processing_id),
            "header_blocks": dict(push.header_blocks),
            "properties": [_property_values(one) for one in push.properties],
            "documents": [_document_values(document) for document in push.documents],
        }
    )


def _told(values: Values) -> Values:
    return {name: value for name, value in values.items() if value}


def _origin_values(origin: Origin) -> Values:
    values = {"source": storable(origin.source), "name": storable(origin.name), "form": origin.form.value}
    return values if origin.at is None else values | {"at": origin.at.astimezone(UTC).isoformat()}


def _verdict_values(verdict: Verdict) -> Values:
    values: Values = {"conformance": verdict.conformance.value, "contract_sha256": verdict.contract_sha256}
    if verdict.deviations:
        values["deviations"] = [_deviation_values(deviation) for deviation in verdict.deviations]
        values["refused_for"] = [_deviation_values(deviation) for deviation in verdict.refused_for]
    return values


def _deviation_values(deviation: Deviation) -> Values:
    return {name: getattr(deviation, name) for name in ("rule", "path", "line", "found", "wanted", "mark")}


def _read_verdict(values: Mapping[str, Any]) -> Verdict:
    return Verdict(
        conformance=Conformance(values["conformance"]),
        contract_sha256=values["contract_sha256"],
        deviations=tuple(Deviation(**deviation) for deviation in values.get("deviations", ())),
        refused_for=tuple(Deviation(**deviation) for deviation in values.get("refused_for", ())),
    )


def _document_values(document: Document) -> Values:
    values = _told(
        {
            "filename": storable(document.filename),
            "doctype": storable(document.doctype),
            "detected_type": document.detected_type,
            "charset": storable(document.charset),
            "properties": [_property_values(one) for one in document.properties],
        }
    )
    if document.encoding != "base64":
        values["encoding"] = document.encoding
    return values | {"size_bytes": document.content.size_bytes, "sha256": document.content.sha256}


def _property_values(one: Property) -> Values:
    values: Values = {"name": one.name, "value": one.value}
    if one.sent_name != one.name:
        values["sent_name"] = one.sent_name
    if one.segment is not None:
        values["segment"] = one.segment
    if one.at is not None:
        values["at"] = one.at.isoformat()
    if one.b64charset is not None:
        values["b64charset"] = one.b64charset
    return values


def _read_properties(kept: Iterable[Mapping[str, Any]]) -> tuple[Property, ...]:
    return tuple(
        Property(
            name=values["name"],
            sent_name=values.get("sent_name", values["name"]),
            segment=values.get("segment"),
            value=values["value"],
            at=datetime.fromisoformat(values["at"]) if "at" in values else None,
            b64charset=values.get("b64charset"),
        )
        for values in kept
    )


# Words of a record, those that are likeliest last. Stored data is read by it: never change one, add another.
_DICTIONARIES = {
    1: (
        b'{"rule":"XSD-","path":"/soapenv:Envelope/soapenv:Body/","line":1,"found":"","wanted":"","mark":"INFERRED"},'
        b'"history":[{"at":"20","refused_for":["deviations":["conformance":"observe","conformance":"guarded",'
        b'"sent_name":"orig_email_subject","sent_name":"orig_email_from","sent_name":"start_time","segment":"USER"'
        b'"b64charset":"UTF-8","at":"20T00:00:00+00:00"}],"charset":"ISO-8859-1","charset":"UTF-8",'
        b'"detected_type":"image/tiff","doctype":"TIFF","detected_type":"application/pdf","doctype":"PDF",'
        b'"encoding":"text","filename":".pdf","filename":".tif","filename":".csv",'
        b'["Connection","keep-alive"],["Accept-Encoding","gzip, deflate"],["Transfer-Encoding","chunked"],'
        b'["Via","1.1 "],["X-Forwarded-Proto","https"],["X-Forwarded-For",""],["Authorization","***"],'
        b'"header_blocks":{"Request/ProcessingID":"Response/Server":"Response/Timestamp":'
        b'"Response/ReceiverKey":"http://","Response/ResponseType":"reply","Response/ProcessingID":"'
        b'{"verdict":{"conformance":"strict","contract_sha256":""},"http_headers":[["Host","127.0.0.1:8080"],'
        b'["User-Agent",""],["Accept","*/*"],["Soapaction","\\"basicInvoke\\""],'
        b'["Content-Type","text/xml; charset=utf-8"],["Content-Length",""]],'
        b'"root":"{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}JobDocumentTransmitResult",'
        b'"status_code":"0","processing_id":"","properties":[{"name":"UserAccountNumber","value":"",'
        b'"segment":"Default"},{"name":"Subject","value":"","segment":"Default"},{"name":"OrigFromAddress",'
        b'"value":"@example.com","segment":"Default"},{"name":"StartTime","value":"20T00:00:00Z","segment":"Default",'
        b'"at":"20T00:00:00+00:00"},{"name":"EntryTime","value":"20T00:00:00Z","segment":"Default",'
        b'"at":"20T00:00:00+00:00"}],"documents":[{"filename":"report_","doctype":"text","size_bytes":,"sha256":"'
    )
}
