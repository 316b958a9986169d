"""An FTP site as a place for files. FTPS is FTP with AUTH TLS, for the data too, and the certificate is verified."""

from __future__ import annotations

import contextlib
import ftplib
import posixpath
import tempfile
from typing import Any, BinaryIO

from soapsvc.targets.deadline import Deadline
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.places import PIECE_BYTES, Site, as_os_error, is_part, part_name
from soapsvc.targets.tls import client_context


class FtpPlace:
    """A directory of the site."""

    def __init__(self, site: Site, options: TargetOptions, deadline: Deadline, *, secured: bool):
        from fsspec.implementations.ftp import FTPFileSystem

        context = client_context(options) if secured else None

        class Verified(FTPFileSystem):  # type: ignore[misc]
            """fsspec connects FTPS without a look at the certificate."""

            def _connect(self) -> None:
                self.ftp = ftplib.FTP(encoding="utf-8") if context is None else _SameSession(context=context)  # noqa: S321
                seconds = deadline.left(options.connect_seconds)
                self.ftp.connect(site.host, site.port or ftplib.FTP_PORT, timeout=seconds)
                self.ftp.login(site.user or "", site.password or "")
                if isinstance(self.ftp, ftplib.FTP_TLS):
                    self.ftp.prot_p()
                assert self.ftp.sock is not None, "it is connected"
                self.ftp.sock.settimeout(deadline.left())
                self.ftp.timeout = deadline.left()

            def __del__(self) -> None:
                """close() says good-bye."""

        with as_os_error():
            self._files: Any = Verified(site.host, skip_instance_cache=True, use_listings_cache=False)
        self._ftp: ftplib.FTP = self._files.ftp
        self._root = site.root.rstrip("/")

    def size_bytes(self, path: str) -> int | None:
        with as_os_error():
            self._ftp.voidcmd("TYPE I")
            try:
                return self._ftp.size(self._at(path))
            except ftplib.error_perm as error:
                if str(error).startswith("550"):
                    return None
                raise

    def open(self, path: str) -> BinaryIO:
        copy = tempfile.TemporaryFile()  # noqa: SIM115  (whoever asked closes it)
        with as_os_error():
            self._ftp.retrbinary(f"RETR {self._at(path)}", copy.write, PIECE_BYTES)
        copy.seek(0)
        return copy

    def put(self, path: str, source: BinaryIO, mark: str) -> bool:
        part = part_name(path, mark)
        with as_os_error():
            self._make(posixpath.dirname(path))
            try:
                self._ftp.storbinary(f"STOR {self._at(part)}", source, 64 * 1024)
                if self.size_bytes(path) is None:  # FTP has no rename that spares what is there: look just before
                    self._ftp.rename(self._at(part), self._at(path))
                    return True
            except BaseException:
                self._drop(part)
                raise
            self._drop(part)
        return False

    def clear(self, directory: str, mark: str) -> None:
        """A server that lists no hidden files keeps them."""
        with as_os_error():
            try:
                names = self._ftp.nlst(self._at(directory) or ".")
            except (ftplib.error_perm, ftplib.error_temp):  # how servers say that there is nothing
                return
        for name in (posixpath.basename(one) for one in names):  # some list whole paths
            if is_part(name, mark):
                self._drop(posixpath.join(directory, name))

    def _drop(self, path: str) -> None:
        with contextlib.suppress(*ftplib.all_errors):
            self._ftp.delete(self._at(path))

    def _make(self, directory: str) -> None:
        at = ""
        for step in (step for step in directory.split("/") if step):
            at = f"{at}/{step}" if at else step
            with contextlib.suppress(ftplib.error_perm):  # it is there; what is wrong else, STOR will say
                self._ftp.mkd(self._at(at))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root else path

    def close(self) -> None:
        with contextlib.suppress(*ftplib.all_errors):
            self._ftp.quit()
        self._ftp.close()


class _SameSession(ftplib.FTP_TLS):
    """Data connections resume the control connection's TLS session: many servers take none else."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> Any:
        sock, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321
        if self._prot_p:  # type: ignore[attr-defined]
            session = self.sock.session  # type: ignore[union-attr]
            sock = self.context.wrap_socket(sock, server_hostname=self.host, session=session)
        return sock, size
