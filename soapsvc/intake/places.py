"""Which place a URL names.

file:///DIRECTORY                       a directory of this machine
ftp:// ftps:// sftp://USER@HOST/DIRECTORY   a directory elsewhere
s3://BUCKET/PREFIX                      objects below a prefix
mbox:PATH maildir:PATH                  a mailbox on this machine's disk
imap:// imaps://USER@HOST/MAILBOX       a mailbox elsewhere; without a name INBOX
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from soapsvc.errors import SettingsError
from soapsvc.intake.directory_source import DirectorySource
from soapsvc.intake.imap_source import ImapSource
from soapsvc.intake.mail_files import MaildirSource, MboxSource
from soapsvc.intake.remote_source import Access, RemoteSource, connect_ftp, connect_s3, connect_sftp
from soapsvc.intake.source import Disposal, Source
from soapsvc.settings import Settings, without_userinfo

_IMAP_PORT, _IMAPS_PORT = 143, 993
_WANTED = (
    "file:///DIRECTORY, ftp://, ftps:// or sftp://USER@HOST/DIRECTORY, s3://BUCKET/PREFIX, mbox:PATH, maildir:PATH, "
    "imap:// or imaps://USER@HOST/MAILBOX"
)


def source_of(url: str, settings: Settings, how: Disposal) -> Source:
    """The place, not asked for anything yet. Errors: SettingsError: it is none, or what is to be done does not fit."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise SettingsError(f"{without_userinfo(url)!r} is no place that is read: give {_WANTED}") from None
    if parts.password is not None:
        raise SettingsError(
            "a password in a URL can be seen in the list of processes and in the shell's history: leave the user name "
            "there alone, and set SOAPSVC_INTAKE_PASSWORD or intake_password_file"
        )
    if parts.query or parts.fragment:
        raise SettingsError(f"{without_userinfo(url)!r} has more after a ? or #: write such a character as %3F or %23")
    if how.seen and parts.scheme not in ("imap", "imaps"):
        raise SettingsError("--mark-seen is for imap:// and imaps://: other places keep no such mark of ours")
    _hold_move_to(how.move_to)
    most = settings.intake_max_items
    match parts.scheme:
        case "file" if parts.netloc in ("", "localhost") and parts.path.startswith("/"):
            return DirectorySource(Path(unquote(parts.path)), aside=how.move_to, max_items=most)
        case "mbox" if parts.path and not parts.netloc:
            return MboxSource(Path(unquote(parts.path)).absolute(), max_items=most)
        case "maildir" if parts.path and not parts.netloc:
            return MaildirSource(Path(unquote(parts.path)).absolute(), max_items=most)
        case "imap" | "imaps" if parts.hostname and parts.username:
            tls = parts.scheme == "imaps"
            mailbox = unquote(parts.path.strip("/")) or "INBOX"
            at = port or (_IMAPS_PORT if tls else _IMAP_PORT)
            access = _access(parts, settings)
            return ImapSource(_shown(parts), parts.hostname, at, mailbox, access, tls=tls, max_items=most)
        case "ftp" | "ftps" | "sftp" | "s3" if parts.hostname:
            return _remote(parts, port, settings, how)
    raise SettingsError(f"{without_userinfo(url)!r} is no place that is read: give {_WANTED}")


def _remote(parts: SplitResult, port: int | None, settings: Settings, how: Disposal) -> Source:
    access, host, root = _access(parts, settings), parts.hostname or "", unquote(parts.path)
    if "\n" in root or "\r" in root:
        raise SettingsError("the path of the URL has a line end in it")
    match parts.scheme:
        case "sftp":
            connect = partial(connect_sftp, host, port, access)
        case "s3":
            connect, root = partial(connect_s3, access), f"{parts.netloc}{root}"
        case scheme:
            connect = partial(connect_ftp, host, port, access, tls=scheme == "ftps")
    most = settings.intake_max_items
    return RemoteSource(_shown(parts), connect, root, aside=how.move_to, max_items=most)


def _access(parts: SplitResult, settings: Settings) -> Access:
    return Access(
        user=None if parts.username is None else unquote(parts.username),
        password=_password(settings),
        key_file=settings.intake_key_file,
        known_hosts=settings.intake_known_hosts,
        ca_file=settings.intake_ca_file,
        timeout_seconds=settings.intake_timeout_seconds,
    )


def _password(settings: Settings) -> str | None:
    if settings.intake_password is not None:
        return settings.intake_password.get_secret_value()
    if settings.intake_password_file is None:
        return None
    try:
        text = settings.intake_password_file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"intake_password_file {settings.intake_password_file} cannot be read: {error}") from error
    return text.partition("\n")[0].rstrip("\r")


def _shown(parts: SplitResult) -> str:
    """The URL as it is recorded: a user name is no secret, and two of them may have two mailboxes."""
    return parts.geturl().rstrip("/")


def _hold_move_to(name: str | None) -> None:
    if name is None:
        return
    plain = name.strip() == name and "/" not in name and "\\" not in name and not name.startswith(".")
    if not name or not plain or not name.isprintable():
        raise SettingsError(
            f"--move-to {name!r} is no name of a directory, folder or mailbox beside what is read: give one without a "
            "slash or a dot at its beginning"
        )
