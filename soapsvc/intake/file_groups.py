"""Which files of a listing are one drop: a report, its record in JSON, its envelope.

report_1000001.csv                 the decoded report
report_1000001.csv.json            its record
report_1000001.csv.envelope.xml    the envelope as it was pushed
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from soapsvc.intake.source import Found, Part, PartKind

SIDE, ENVELOPE, EMAIL = ".json", ".envelope.xml", ".eml"
_UNFINISHED = (".part", ".partial", ".filepart", ".tmp", ".temp", ".swp", ".crdownload", ".lock", "~")
"""How programs end the name of what they are still writing, in lower case."""


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file of a listing.

    path   below the place, with slashes
    stamp  changes when the file does: its time as the place tells it, or a tag
    """

    path: str
    size_bytes: int | None
    stamp: str
    at: datetime | None = None


def is_unfinished(name: str) -> bool:
    """Whether a file's name says that it is not to be read (yet), or not meant for others."""
    return name.startswith(".") or name.lower().endswith(_UNFINISHED)


def grouped(files: Iterable[SeenFile]) -> list[Found]:
    """The drops of a listing, by name."""
    by_path = {file.path: file for file in files}
    groups: dict[str, dict[PartKind, SeenFile]] = {}
    for path, file in sorted(by_path.items()):
        base, kind = _place_of(path, by_path)
        groups.setdefault(base, {})[kind] = file
    return [_found(base, parts) for base, parts in sorted(groups.items())]


def _place_of(path: str, by_path: dict[str, SeenFile]) -> tuple[str, PartKind]:
    if path.endswith(ENVELOPE) and _is_name(path.removesuffix(ENVELOPE)):
        return path.removesuffix(ENVELOPE), PartKind.ENVELOPE
    base = path.removesuffix(SIDE)
    if base != path and (base in by_path or base + ENVELOPE in by_path):
        return base, PartKind.SIDE
    return path, PartKind.EMAIL if path.lower().endswith(EMAIL) else PartKind.REPORT


def _is_name(path: str) -> bool:
    return bool(path.rpartition("/")[2])


def _found(base: str, parts: dict[PartKind, SeenFile]) -> Found:
    files = list(parts.values())
    mark = [word for file in files for word in (file.path, str(file.size_bytes), file.stamp)]
    times = [file.at for file in files if file.at is not None]
    return Found(
        name=base,
        mark=tuple(mark),
        parts=tuple(Part(kind, file.path, file.size_bytes) for kind, file in parts.items()),
        at=max(times, default=None),
    )
