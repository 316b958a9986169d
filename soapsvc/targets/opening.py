"""From a URL to the target that it names."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote

from soapsvc.errors import SettingsError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.file_target import FileTarget
from soapsvc.targets.options import TargetOptions, host_of, query_of, shown, split, user_of, yes_or_no
from soapsvc.targets.places import LocalPlace, Place, Site
from soapsvc.targets.target import Target

_OF_FILES = {"name": "template of the file names", "record": "yes: record and envelope beside the documents"}
_OF_S3 = {**_OF_FILES, "endpoint": "URL of a store that is not Amazon's"}
OpenPlace = Callable[[Deadline], Place]


def open_target(url: str, options: TargetOptions) -> Target:
    """The target that a URL names; nothing is connected yet.

    Errors  SettingsError: the URL names none, or has an option that its kind does not know
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in _KINDS or ":" not in url:
        near = difflib.get_close_matches(scheme, _KINDS, n=1)
        hint = f"; {near[0]}: is near" if near else ""
        raise SettingsError(f"{shown(split(url))!r} is no target: it begins with none of {', '.join(_KINDS)}{hint}")
    return _KINDS[scheme](url, options)


# Each kind is imported when it is named: zeep, smtplib and fsspec take their time.


def _soap(url: str, options: TargetOptions) -> Target:
    from soapsvc.targets.soap_target import SoapTarget

    host_of(split(url))
    return SoapTarget(url, options)


def _webhook(url: str, options: TargetOptions) -> Target:
    from soapsvc.targets.webhook_target import WebhookTarget

    inner = url.partition("+")[2]
    host_of(split(inner))
    return WebhookTarget(inner, options)


def _mail(url: str, options: TargetOptions) -> Target:
    from soapsvc.targets.mail_target import MailTarget

    return MailTarget(url, options)


def _command(url: str, options: TargetOptions) -> Target:
    from soapsvc.targets.command_target import CommandTarget

    return CommandTarget(url, options)


def _local(url: str, options: TargetOptions) -> Target:
    parts = split(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise SettingsError(f"{shown(parts)!r} names no directory of this machine; file:///DIRECTORY is wanted")
    root = Path(unquote(parts.path))
    return _files(parts, options, query_of(parts, _OF_FILES), lambda _: LocalPlace(root))


def _ftp(url: str, options: TargetOptions) -> Target:
    parts = split(url)
    site, secured = _site(parts, options), parts.scheme == "ftps"

    def open_place(deadline: Deadline) -> Place:
        from soapsvc.targets.ftp_place import FtpPlace

        return FtpPlace(site, options, deadline, secured=secured)

    return _files(parts, options, query_of(parts, _OF_FILES), open_place)


def _sftp(url: str, options: TargetOptions) -> Target:
    parts = split(url)
    site = _site(parts, options)

    def open_place(deadline: Deadline) -> Place:
        from soapsvc.targets.sftp_place import SftpPlace

        return SftpPlace(site, options, deadline)

    return _files(parts, options, query_of(parts, _OF_FILES), open_place)


def _s3(url: str, options: TargetOptions) -> Target:
    parts = split(url)
    bucket, told = host_of(parts), query_of(parts, _OF_S3)

    def open_place(deadline: Deadline) -> Place:
        from soapsvc.targets.s3_place import S3Place

        return S3Place(bucket, unquote(parts.path), told.get("endpoint"), options, deadline)

    return _files(parts, options, told, open_place)


def _site(parts: SplitResult, options: TargetOptions) -> Site:
    user, password = user_of(parts, options)
    path = unquote(parts.path)
    if any(ord(character) < 32 for character in path):
        raise SettingsError(f"the path of {shown(parts)!r} has a control character")
    return Site(host_of(parts), parts.port, path, user, password)


def _files(parts: SplitResult, options: TargetOptions, told: dict[str, str], open_place: OpenPlace) -> Target:
    record = yes_or_no(told.get("record", "no"), f"record of {shown(parts)}")
    return FileTarget(
        shown(parts), open_place, options, template=told.get("name", options.name_template), record=record
    )


_KINDS: dict[str, Callable[[str, TargetOptions], Target]] = {
    "http": _soap,
    "https": _soap,
    "webhook+http": _webhook,
    "webhook+https": _webhook,
    "mailto": _mail,
    "ftp": _ftp,
    "ftps": _ftp,
    "sftp": _sftp,
    "s3": _s3,
    "file": _local,
    "exec": _command,
}
