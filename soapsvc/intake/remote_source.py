"""A directory elsewhere: ftp, ftps, sftp and s3, through fsspec.

fsspec's own FTP over TLS believes any certificate, and its SFTP any host key; here both are checked.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from soapsvc.errors import SettingsError, SoapsvcError, Unreachable
from soapsvc.intake.file_groups import SeenFile, grouped, is_unfinished
from soapsvc.intake.source import Disposal, Found, Gone, Part, TooLarge, Write

MAX_DEPTH = 8
PIECE_BYTES = 1024 * 1024
_SAID_CHARS = 200
_NAMES_TRIED = 100
_PORTS = {"ftp": 21, "ftps": 21, "sftp": 22}


@dataclass(frozen=True, slots=True)
class Access:
    """How a place elsewhere lets us in.

    password     None: none is sent (of sftp: the agent's keys and those of the user are tried)
    key_file     private key for sftp; the password then is its passphrase
    known_hosts  host keys for sftp; None: those of the user
    ca_file      authorities for TLS; None: those of the system
    """

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    key_file: Path | None = None
    known_hosts: Path | None = None
    ca_file: Path | None = None
    timeout_seconds: float = 30.0


class RemoteSource:
    """The files below a path of a file system of fsspec.

    url        without secrets
    connect    opens the file system; called again after whatever went wrong
    root       the path in it; of ftp and sftp without one: where the login leads
    aside      name of the directory to which what was taken in is moved: not looked into
    max_items  files that are looked at
    """

    settles = True

    def __init__(self, url: str, connect: Callable[[], Any], root: str, *, aside: str | None, max_items: int):
        self.url, self._connect, self._root = url, connect, root.rstrip("/")
        self._aside, self._max_items = aside, max_items
        self._connected: Any = None

    def state(self) -> tuple[str, ...] | None:
        return None

    def look(self) -> Sequence[Found]:
        with self._asking() as files:
            files.invalidate_cache()
            return grouped(self._files(files))

    def fetch(self, part: Part, write: Write) -> None:
        path = f"{self._root}/{part.place}"
        with self._asking() as files:
            if hasattr(files, "ftp") and hasattr(files.ftp, "retrbinary"):  # its file asks anew for each piece
                files.ftp.retrbinary(f"RETR {path}", write, blocksize=64 * 1024)
                return
            with files.open(path, "rb", block_size=PIECE_BYTES * 5, cache_type="readahead") as file:
                while piece := file.read(PIECE_BYTES):
                    write(bytes(piece))

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        for part in (part for found in taken for part in found.parts):
            with contextlib.suppress(Gone), self._asking() as files:
                path = f"{self._root}/{part.place}"
                if how.move_to is None:
                    files.rm_file(path)
                else:
                    self._move(files, path, f"{self._root}/{how.move_to}/{part.place}")

    def close(self) -> None:
        files, self._connected = self._connected, None
        with contextlib.suppress(Exception):  # whether it says goodbye does not matter
            for closing in (getattr(files, "ftp", None), getattr(files, "client", None)):
                if closing is not None:
                    closing.close()

    def _move(self, files: Any, path: str, to: str) -> None:
        files.invalidate_cache()
        if not files.exists(path):
            raise Gone
        if _is_tree(files):
            files.makedirs(to.rpartition("/")[0], exist_ok=True)
        for n in range(_NAMES_TRIED):
            files.invalidate_cache()
            free = f"{to}~{n}" if n else to
            if not files.exists(free):
                files.mv(path, free)
                return
        raise Unreachable(
            f"{self.url} has {_NAMES_TRIED} files already that are called like {to}: move them elsewhere."
        )

    def _files(self, files: Any) -> Iterator[SeenFile]:
        waiting, seen = [""], 0
        while waiting:
            below = waiting.pop()
            for entry in sorted(self._listed(files, below), key=lambda entry: str(entry["name"])):
                name = str(entry["name"]).rstrip("/").rpartition("/")[2]
                path = f"{below}/{name}".lstrip("/")
                if name in ("", ".", "..") or "\n" in name or "\r" in name or is_unfinished(name):
                    continue  # a line end in a name would begin another command of FTP
                if entry["type"] == "directory":
                    if path.count("/") < MAX_DEPTH and path != self._aside:
                        waiting.append(path)
                elif entry["type"] == "file":
                    size = entry.get("size")
                    yield SeenFile(path, None if size is None else int(size), _stamp(entry), _time(entry))
                    seen += 1
                    if seen >= self._max_items:
                        return

    def _listed(self, files: Any, below: str) -> list[Any]:
        path = f"{self._root}/{below}".rstrip("/")
        try:
            return list(files.ls(path or "/", detail=True))
        except FileNotFoundError:
            if not below and not _is_tree(files) and files.exists(self._root.partition("/")[0]):
                return []  # a prefix is there when something is, in a bucket that is there
            raise

    @contextmanager
    def _asking(self) -> Iterator[Any]:
        """The file system. Whatever it complains of is Unreachable, and the next one asks a new connection."""
        try:
            if self._connected is None:
                self._connected = self._connect()
                self._root = self._root or _home(self._connected)
            yield self._connected
        except Gone:
            raise
        except (SoapsvcError, TooLarge):
            self.close()  # in the middle of a file, maybe: nothing else can be asked of this connection
            raise
        except FileNotFoundError as error:
            self.close()
            raise Unreachable(f"{self.url} has no such file or directory: {_said(error)}") from error
        except Exception as error:  # each library has errors of its own
            self.close()
            raise Unreachable(f"{self.url} cannot be read: {_said(error)}") from error


def connect_ftp(host: str, port: int | None, access: Access, *, tls: bool) -> Any:
    """FTP; with TLS by AUTH TLS on the usual port, the data protected too, the certificate checked."""
    from ftplib import FTP_TLS

    from fsspec.implementations.ftp import FTPFileSystem

    class CheckedFtp(FTPFileSystem):  # type: ignore[misc]
        def _connect(self) -> None:
            if not self.tls:
                super()._connect()
                return
            context = ssl.create_default_context(cafile=access.ca_file)
            self.ftp = FTP_TLS(context=context, timeout=self.timeout, encoding=self.encoding)  # noqa: S321
            self.ftp.connect(self.host, self.port)
            self.ftp.login(*self.cred)

    return CheckedFtp(
        host, port or _PORTS["ftp"], access.user, access.password, timeout=access.timeout_seconds, tls=tls
    )


def connect_sftp(host: str, port: int | None, access: Access) -> Any:
    """SFTP with a host key that is known."""
    try:
        import paramiko
        from fsspec.implementations.sftp import SFTPFileSystem
    except ImportError:
        raise SettingsError("sftp:// needs paramiko: pip install 'soapsvc[sftp]'") from None

    class CheckedSftp(SFTPFileSystem):  # type: ignore[misc]
        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys(None if access.known_hosts is None else str(access.known_hosts))
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            channel = self.ftp.get_channel()
            assert channel is not None, "it was opened just now"
            channel.settimeout(access.timeout_seconds)

    seconds = access.timeout_seconds
    how: dict[str, Any] = {"timeout": seconds, "banner_timeout": seconds, "auth_timeout": seconds}
    if access.key_file is not None:
        how |= {"key_filename": str(access.key_file), "passphrase": access.password}
    else:
        how["password"] = access.password
    own = access.key_file is None and access.password is None
    how |= {"allow_agent": own, "look_for_keys": own}
    if access.user is not None:
        how["username"] = access.user
    return CheckedSftp(host, port=port or _PORTS["sftp"], skip_instance_cache=True, **how)


def connect_s3(access: Access) -> Any:
    """S3; who may read there is asked where AWS's own programs ask it: AWS_ACCESS_KEY_ID, AWS_PROFILE, the machine."""
    try:
        from s3fs import S3FileSystem
    except ImportError:
        raise SettingsError("s3:// needs s3fs: pip install 's3fs', or 'soapsvc[s3]'") from None
    seconds = access.timeout_seconds
    how = {"connect_timeout": seconds, "read_timeout": seconds, "retries": {"max_attempts": 3}}
    return S3FileSystem(config_kwargs=how, use_listings_cache=False, skip_instance_cache=True)


def _is_tree(files: Any) -> bool:
    return "s3" not in files.protocol


def _home(files: Any) -> str:
    """Where a login led, as deliveries to the same URL go there; empty: to the root of all."""
    if not _is_tree(files):
        return ""
    at = files.ftp.pwd() if hasattr(files.ftp, "pwd") else files.ftp.normalize(".")
    return str(at).rstrip("/")


def _stamp(entry: Any) -> str:
    return str(entry.get("ETag") or entry.get("modify") or entry.get("mtime") or entry.get("LastModified") or "")


def _time(entry: Any) -> datetime | None:
    at = entry.get("mtime") or entry.get("LastModified")
    if isinstance(at, datetime):
        return at.astimezone(UTC)
    with contextlib.suppress(ValueError, TypeError):
        return datetime.strptime(entry["modify"][:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)  # RFC 3659, 2.3: UTC
    return None


def _said(error: Exception) -> str:
    said = " ".join(str(error).split()) or type(error).__name__
    return said if len(said) <= _SAID_CHARS else f"{said[:_SAID_CHARS]}…"
