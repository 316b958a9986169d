"""What a report at a backup says beside its bytes: in a side file of JSON, or in the lines of an email."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from soapsvc.contract.property_names import KNOWN_NAMES, canonical_name, is_time
from soapsvc.contract.secret_elements import MASK, is_credential_name
from soapsvc.contract.vendor_times import read_time
from soapsvc.records import JobId, Property

MAX_SIDE_BYTES = 1024 * 1024
MAX_LINES = 500  # of an email that are read; the properties stand at its beginning
MAX_PROPERTIES = 1000
MAX_FILES = 10_000
OF_BODY, OF_SIDE_FILE = "email body", "side file"
"""Segments of the properties: where they stood."""
_LINE = re.compile(r"[ \t>*-]*(?P<name>[A-Za-z][\w /]{0,60}?)[ \t]*[:=][ \t]+(?P<value>\S.{0,4000}?)[ \t]*")
_JOB = re.compile(r"(?P<xdn>[^\s:]{1,64}):(?P<mrn>[0-9]{1,32})")
_JOB_NAMES = frozenset({"job", "jobid", "job id"})


@dataclass(frozen=True, slots=True)
class Said:
    """Job and properties, as far as they are told.

    content_type  HTTP header of the request that the record tells of: which charset its envelope is in
    files         what our own sender calls the documents that lie there, the first one's name before `.json`
    """

    job: JobId | None = None
    submit_id: str | None = None
    properties: tuple[Property, ...] = ()
    content_type: str | None = None
    files: tuple[str, ...] = ()


class NotASideFile(ValueError):
    """It is no JSON object; str() says what it is."""


def read_side_file(content: bytes) -> Said:
    """A record as `soapsvc inbox show --json` gives it, or any object with some of its fields. Errors: NotASideFile."""
    try:
        record = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise NotASideFile("something that is no JSON") from error
    if not isinstance(record, dict):
        raise NotASideFile("JSON that is no object")
    job = record.get("job")
    xdn, mrn = (_text(job.get(name)) for name in ("xdn", "mrn")) if isinstance(job, Mapping) else (None, None)
    headers = record.get("http_headers")
    return Said(
        job=JobId(xdn, mrn) if xdn or mrn else None,
        submit_id=_text(record.get("submit_id")),
        properties=_properties(record),
        content_type=_content_type(headers if isinstance(headers, list) else []),
        files=tuple(one for one in record.get("files") or () if isinstance(one, str))[:MAX_FILES]
        if isinstance(record.get("files"), list)
        else (),
    )


def read_lines(text: str) -> Said:
    """The lines `name: value` of an email whose names are those of properties or of the job; others are prose."""
    job, xdn, mrn, properties = None, None, None, []
    for line in text.splitlines()[:MAX_LINES]:
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        name, value = found["name"].strip(), found["value"]
        called = name.lower()
        if called in _JOB_NAMES and (numbers := _JOB.fullmatch(value)):
            job = job or JobId(numbers["xdn"], numbers["mrn"])
        elif called == "xdn":
            xdn = xdn or value
        elif called == "mrn":
            mrn = mrn or value
        elif called in KNOWN_NAMES:
            properties.append(named(name, value, OF_BODY))
    alone = JobId(xdn, mrn) if xdn or mrn else None
    return Said(job or alone, None, tuple(properties[:MAX_PROPERTIES]))


def named(sent_name: str, value: str, segment: str) -> Property:
    """A property by its canonical name; a credential's value is masked."""
    name = canonical_name(sent_name)
    if is_credential_name(sent_name):
        value = MASK
    read = Property(name, sent_name, segment, value)
    if not is_time(name):
        return read
    time = read_time(value)
    return read if time.trouble is not None else replace(read, at=time.at)


def _properties(record: Mapping[str, Any]) -> tuple[Property, ...]:
    kept = record.get("property_list")
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(kept, list):
        pairs = [
            (one.get("sent_name") or one.get("name"), one.get("value")) for one in kept if isinstance(one, Mapping)
        ]
    elif isinstance(record.get("properties"), Mapping):
        pairs = record["properties"].items()
    read = []
    for name, value in pairs:
        told = _text(value)
        if isinstance(name, str) and name.strip() and told is not None:
            read.append(named(name.strip(), told, OF_SIDE_FILE))
    return tuple(read[:MAX_PROPERTIES])


def _content_type(headers: list[Any]) -> str | None:
    for one in headers:
        if isinstance(one, list) and len(one) == 2 and str(one[0]).lower() == "content-type":
            return str(one[1])
    return None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None
