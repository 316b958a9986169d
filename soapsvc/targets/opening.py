"""From a URL to the target that it names."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote

from soapsvc.errors import SettingsError
from soapsvc.targets.file_target import FileTarget
from soapsvc.targets.options import TargetOptions, query_of, shown, split, yes_or_no
from soapsvc.targets.places import LocalPlace
from soapsvc.targets.target import Target

_OF_FILES = {"name": "template of the file names", "record": "yes: record and envelope beside the documents"}


def open_target(url: str, options: TargetOptions) -> Target:
    """The target that a URL names; nothing is connected yet.

    Errors  SettingsError: the URL names none, or has an option that its kind does not know
    """
    parts = split(url)
    kind = _KINDS.get(parts.scheme)
    if kind is None:
        near = difflib.get_close_matches(parts.scheme, _KINDS, n=1)
        hint = f"; {near[0]}: is near" if near else ""
        raise SettingsError(f"{shown(parts)!r} is no target: it begins with none of {', '.join(_KINDS)}{hint}")
    return kind(parts, options)


def _local(parts: SplitResult, options: TargetOptions) -> Target:
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SettingsError(f"{shown(parts)!r} names no directory of this machine; file:///DIRECTORY is wanted")
    root = Path(unquote(parts.path))
    return _files(parts, options, lambda _: LocalPlace(root))


def _files(parts: SplitResult, options: TargetOptions, open_place: Callable[..., LocalPlace]) -> Target:
    told = query_of(parts, _OF_FILES)
    record = yes_or_no(told.get("record", "no"), f"record of {shown(parts)}")
    return FileTarget(
        shown(parts), open_place, options, template=told.get("name", options.name_template), record=record
    )


_KINDS: dict[str, Callable[[SplitResult, TargetOptions], Target]] = {"file": _local}
