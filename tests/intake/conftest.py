"""Places as a vendor's backup may be, each served by a real server of the test's own on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import io
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.inbox.sql_store import SqlStore, open_store
from soapsvc.intake.drop_reader import DropReader
from soapsvc.intake.places import source_of
from soapsvc.intake.source import Disposal
from soapsvc.intake.taking import Intake, Outcome
from soapsvc.judge import Judge, Judged
from soapsvc.records import Accepted, Arrival
from soapsvc.settings import OwnSettings
from soapsvc.shipped import WSDL_FILE
from soapsvc.spool import Spool
from soapsvc.wire.http_messages import RequestHead
from tests.ftp import serving
from tests.pushing import TEXT_XML, free_port
from tests.s3 import s3_server

MIB = 1024 * 1024
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
USER, PASSWORD = "vendor", "correct horse"
SECONDS = 20


@dataclass
class Inbox:
    """An inbox, and the ways to fill it; each look and each push is a second later."""

    url: str
    store: SqlStore
    wsdl: WsdlDocument
    now: datetime = NOON

    def clock(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    def settings(self, **changed: Any) -> OwnSettings:
        return OwnSettings(**{"inbox": self.url, "min_free_bytes": 0, **changed})

    def intake(
        self, url: str, how: Disposal | None = None, *, pause: Callable[[float], object] = lambda seconds: None,
        stopped: Callable[[], bool] = lambda: False, store: Any = None, alone: float = 0, **changed: Any,
    ) -> Intake:  # fmt: skip
        settings = self.settings(**changed)
        how = how or Disposal()
        reader = DropReader(settings, Judge(settings, self.wsdl))
        return Intake(source_of(url, settings, how), reader, store or self.store, settings, how=how, pause=pause, alone_seconds=alone,
                      stopped=stopped, clock=self.clock)  # fmt: skip

    def look(self, url: str, how: Disposal | None = None, **changed: Any) -> list[Outcome]:
        taking = self.intake(url, how, **changed)
        try:
            return list(taking.look())
        finally:
            taking._source.close()

    def push(self, envelope: bytes) -> Accepted:
        """What a receiver does with a request."""
        judge = Judge(self.settings(), self.wsdl)
        head = RequestHead("POST", "/push", "", tuple(TEXT_XML.items()))
        arrival = Arrival(self.clock(), "192.0.2.7", tuple(TEXT_XML.items()))
        with Spool(self.store.spool_directory) as spool:
            judged: Judged = judge.judge_stream(head, io.BytesIO(envelope), arrival, spool)
            assert judged.accepted is not None
            return self.store.accept(judged.accepted, judged.verdict)


@pytest.fixture(scope="session")
def wsdl() -> WsdlDocument:
    return WsdlDocument.load(WSDL_FILE)


@pytest.fixture
def inbox(tmp_path: Path, wsdl: WsdlDocument) -> Iterator[Inbox]:
    url = f"sqlite:///{tmp_path / 'inbox' / 'inbox.db'}"
    store = open_store(url, quarantine_max_bytes=4 * MIB, quarantine_max_bytes_per_source=4 * MIB)
    yield Inbox(url, store, wsdl)
    store.close()


@dataclass(frozen=True)
class Place:
    """A backup.

    url       as `soapsvc intake` is given it
    folder    where its files lie on this disk
    settings  by which it is reached
    """

    url: str
    folder: Path
    settings: dict[str, Any]

    def drop(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def names(self) -> list[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*") if path.is_file())


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Of 127.0.0.1, signed by itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "backup.example.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    own = Certificate(folder / "certificate.pem", folder / "key.pem")
    own.certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    own.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return own


@contextlib.contextmanager
def ftp_server(folder: Path, certificate: Certificate | None = None, *, home: Path | None = None) -> Iterator[int]:
    """pyftpdlib in a thread; with a certificate over TLS alone. A login leads to `home`, below the folder. Its port."""
    authorizers = pytest.importorskip("pyftpdlib.authorizers", reason="needs pyftpdlib: pip install pyftpdlib")
    handlers = pytest.importorskip("pyftpdlib.handlers")
    servers = pytest.importorskip("pyftpdlib.servers")
    authorizer = authorizers.DummyAuthorizer()
    authorizer.add_user(USER, PASSWORD, str(folder), perm="elradfmwMT")
    base = handlers.FTPHandler if certificate is None else handlers.TLS_FTPHandler
    own: dict[str, Any] = {"authorizer": authorizer}
    if certificate is not None:
        own |= {"certfile": str(certificate.certificate), "keyfile": str(certificate.key),
                "tls_control_required": True, "tls_data_required": True, "ssl_context": None}  # fmt: skip
    handler = type("Handler", (base,), own)
    if home is not None:

        def lead_home(self: Any, _user: str) -> None:
            self.fs.cwd = self.fs.fs2ftp(str(home))  # its chdir() would take this whole process along

        handler.on_login = lead_home  # type: ignore[attr-defined]
    server = servers.ThreadedFTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield int(server.address[1])


@contextlib.contextmanager
def sftp_server(folder: Path, known_hosts: Path, *, home: Path | None = None) -> Iterator[int]:
    """asyncssh in a thread, its host key written to the file. A login leads to `home`, below the folder. Its port."""
    asyncssh = pytest.importorskip("asyncssh", reason="needs asyncssh: pip install asyncssh")
    host_key = asyncssh.generate_private_key("ssh-ed25519")

    class Server(asyncssh.SSHServer):  # type: ignore[misc]
        def begin_auth(self, username: str) -> bool:
            return True

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == (USER, PASSWORD)

    class Files(asyncssh.SFTPServer):  # type: ignore[misc]
        def __init__(self, channel: Any):
            super().__init__(channel, chroot=str(folder).encode())

        def map_path(self, path: bytes) -> bytes:
            below = b"" if home is None or path.startswith(b"/") else str(home.relative_to(folder)).encode() + b"/"
            return bytes(super().map_path(below + path))

    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []

    async def serve() -> None:
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=Server, server_host_keys=[host_key], sftp_factory=Files
        )
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    thread = threading.Thread(target=lambda: (loop.run_until_complete(serve()), loop.run_forever()), daemon=True)
    thread.start()
    assert ready.wait(SECONDS)
    public = host_key.export_public_key("openssh").decode().strip()
    known_hosts.write_text(f"[127.0.0.1]:{ports[0]} {public}\n")
    try:
        yield int(ports[0])
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3_server() as url:
        yield url


@dataclass(frozen=True)
class ImapServer:
    """Dovecot. Any user has the one password; a user's mail is a Maildir."""

    port: int
    tls_port: int
    mail: Path
    owner: tuple[int, int]

    def deliver(self, user: str, message: bytes, name: str) -> None:
        """As a mail server would: written in tmp, renamed to new."""
        box = self.mail / user
        for folder in ("", "tmp", "new", "cur"):
            (box / folder).mkdir(parents=True, exist_ok=True)
            os.chown(box / folder, *self.owner)
        (box / "tmp" / name).write_bytes(message)
        os.chown(box / "tmp" / name, *self.owner)
        (box / "tmp" / name).rename(box / "new" / name)


DOVECOT = """
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
first_valid_uid = {uid}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@pytest.fixture(scope="session")
def imap_server(certificate: Certificate) -> Iterator[ImapServer]:
    """A Dovecot of the test's own: as root its mail belongs to nobody, else to whoever runs the test."""
    dovecot = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if dovecot is None:
        pytest.skip("needs Dovecot: apt-get install dovecot-imapd")
    owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    folder = Path(tempfile.mkdtemp(prefix="imap-"))  # short: its sockets have names of at most 108 bytes
    folder.chmod(0o755)
    (folder / "mail").mkdir()
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    port, tls_port = free_port(), free_port()
    (folder / "dovecot.conf").write_text(
        DOVECOT.format(
            folder=folder, certificate=certificate.certificate, key=certificate.key, uid=owner.pw_uid,
            gid=owner.pw_gid, user=owner.pw_name, group=grp.getgrgid(owner.pw_gid).gr_name, password=PASSWORD.replace(" ", "_"),
            port=port, tls_port=tls_port,
        )
    )  # fmt: skip
    process = subprocess.Popen([dovecot, "-F", "-c", str(folder / "dovecot.conf")], stderr=subprocess.PIPE, text=True)
    try:
        patience = time.monotonic() + SECONDS
        while not _answers(port):
            told = process.stderr.read() if process.poll() is not None and process.stderr else ""
            log = (folder / "log").read_text() if (folder / "log").exists() else ""
            assert process.poll() is None, told + log
            assert time.monotonic() < patience, log
            time.sleep(0.05)
        yield ImapServer(port, tls_port, folder / "mail", (owner.pw_uid, owner.pw_gid))
    finally:
        process.terminate()
        process.wait(SECONDS)
        if process.stderr:
            process.stderr.close()
        shutil.rmtree(folder, ignore_errors=True)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as one:
        return one.recv(4) == b"* OK"
    return False
