"""An SSH server as a place for files. Its host key must be known, as for ssh itself."""

from __future__ import annotations

import contextlib
import posixpath
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from soapsvc.errors import SettingsError
from soapsvc.targets.deadline import Deadline
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.places import Site, is_part, part_name


class SftpPlace:
    """A directory of the server."""

    def __init__(self, site: Site, options: TargetOptions, deadline: Deadline):
        try:
            import paramiko
            from fsspec.implementations.sftp import SFTPFileSystem
        except ImportError:
            raise SettingsError("sftp: needs paramiko: pip install 'soapsvc[sftp]'") from None

        self._errors = (paramiko.SSHException, EOFError)

        class Known(SFTPFileSystem):  # type: ignore[misc]
            """fsspec believes any host key that it meets."""

            def _connect(self) -> None:
                self.client = paramiko.SSHClient()
                self.client.load_host_keys(str(options.known_hosts or Path("~/.ssh/known_hosts").expanduser()))
                self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
                seconds = deadline.left(options.connect_seconds)
                try:
                    self.client.connect(
                        site.host, site.port or 22, site.user, site.password, timeout=seconds, banner_timeout=seconds,
                        auth_timeout=seconds, key_filename=str(options.private_key) if options.private_key else None,
                        look_for_keys=options.private_key is None and site.password is None, allow_agent=False,
                    )  # fmt: skip
                    self.ftp = self.client.open_sftp()
                    channel = self.ftp.get_channel()
                    assert channel is not None, "it was opened just now"
                    channel.settimeout(deadline.left())
                except BaseException:
                    self.client.close()
                    raise

        with self._as_os_error():
            self._files: Any = Known(site.host, skip_instance_cache=True, use_listings_cache=False)
        self._root = site.root.rstrip("/") or "."

    @contextlib.contextmanager
    def _as_os_error(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            raise OSError(" ".join(str(error).split()) or type(error).__name__) from error

    def size_bytes(self, path: str) -> int | None:
        with self._as_os_error():
            try:
                return int(self._files.ftp.stat(self._at(path)).st_size)
            except FileNotFoundError:
                return None

    def open(self, path: str) -> BinaryIO:
        with self._as_os_error():
            return self._files.open(self._at(path), "rb")  # type: ignore[no-any-return]

    def put(self, path: str, source: BinaryIO, mark: str) -> bool:
        part = part_name(path, mark)
        with self._as_os_error():
            self._make(posixpath.dirname(path))
            try:
                with self._files.ftp.open(self._at(part), "wx") as file:
                    file.set_pipelined(True)
                    shutil.copyfileobj(source, file, 32 * 1024)
                return self._named(part, path)
            except BaseException:
                with contextlib.suppress(OSError, *self._errors):
                    self._files.ftp.remove(self._at(part))
                raise

    def clear(self, directory: str, mark: str) -> None:
        with self._as_os_error(), contextlib.suppress(FileNotFoundError):
            for name in self._files.ftp.listdir(self._at(directory)):
                if is_part(name, mark):
                    self._files.ftp.remove(self._at(posixpath.join(directory, name)))

    def _named(self, part: str, path: str) -> bool:
        """The rename of SFTP's own, which does not replace what is there (fsspec uses one that does)."""
        if self.size_bytes(path) is None:
            try:
                self._files.ftp.rename(self._at(part), self._at(path))
                return True
            except OSError:
                if self.size_bytes(path) is None:
                    raise
        self._files.ftp.remove(self._at(part))
        return False

    def _make(self, directory: str) -> None:
        at = self._root
        for step in ("", *(step for step in directory.split("/") if step)):
            at = posixpath.join(at, step) if step else at
            try:
                self._files.ftp.stat(at)
            except FileNotFoundError:
                with contextlib.suppress(OSError):
                    self._files.ftp.mkdir(at)

    def _at(self, path: str) -> str:
        return posixpath.join(self._root, path)

    def close(self) -> None:
        self._files.client.close()
