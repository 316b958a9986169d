"""Real servers on loopback, each in threads of this process, each ended with its block."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.ftp import serving

SECRET = "open sesame"


@dataclass(frozen=True)
class Certificate:
    """Of 127.0.0.1, made by an authority of its own: PEM files."""

    ca: Path
    chain: Path
    key: Path
    both: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


def make_certificate(folder: Path) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def made(name: str, public: Any, extensions: list[x509.ExtensionType]) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")]))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        )
        for one in extensions:
            builder = builder.add_extension(one, critical=isinstance(one, x509.BasicConstraints))
        return builder.sign(ca_key, hashes.SHA256())

    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    ca = made("tests", ca_key.public_key(), [x509.BasicConstraints(True, None), usage])
    own = made("127.0.0.1", key.public_key(), [
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]),
    ])  # fmt: skip
    pem = serialization.Encoding.PEM
    found = Certificate(folder / "ca.pem", folder / "chain.pem", folder / "key.pem", folder / "both.pem")
    key_pem = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    found.ca.write_bytes(ca.public_bytes(pem))
    found.chain.write_bytes(own.public_bytes(pem))
    found.key.write_bytes(key_pem)
    found.both.write_bytes(key_pem + own.public_bytes(pem))
    return found


# HTTP ----------------------------------------------------------------------------------------------------------------


@dataclass
class HttpServer:
    """Answers every POST by what `answer` says of it, and keeps what came."""

    url: str = ""
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    instead: Callable[[BaseHTTPRequestHandler], None] | None = None


@contextlib.contextmanager
def http_server(context: ssl.SSLContext | None = None) -> Iterator[HttpServer]:
    told = HttpServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            if told.instead is not None:
                told.instead(self)
                return
            came = self.rfile.read(int(self.headers["Content-Length"]))
            told.came.append((dict(self.headers), came))
            self.send_response(told.status)
            for name, value in {"Content-Type": "text/xml; charset=utf-8", **told.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.body)))
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up is what a test wanted."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    told.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_port}/push"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def raw_server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The TCP port of a server that does what it is told with each connection."""
    listening = socket.create_server(("127.0.0.1", 0))
    connections: list[socket.socket] = []

    def run() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                connections.append(connection)
                threading.Thread(target=handled, args=(connection,), daemon=True).start()

    def handled(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            serve(connection)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()
        for connection in connections:
            connection.close()


# Mail ----------------------------------------------------------------------------------------------------------------


class Mailbox:
    """What aiosmtpd hands over; `refuse` is what it says of the next mails instead.

    keep  gets each mail that was taken, line ends as on disk
    """

    def __init__(self, keep: Callable[[bytes], object] | None = None) -> None:
        self._keep = keep
        self.mails: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.refuse: str | None = None
        self.refuse_recipient: str | None = None

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if self.refuse_recipient is not None:
            return self.refuse_recipient
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        if self.refuse is not None:
            return self.refuse
        if self._keep is not None:
            self._keep(envelope.content.replace(b"\r\n", b"\n"))
        self.mails.append(envelope.content)
        self.recipients.append(envelope.rcpt_tos)
        return "250 taken"


@dataclass
class MailServer:
    port: int
    box: Mailbox


@contextlib.contextmanager
def mail_server(
    certificate: Certificate | None = None,
    *,
    implicit_tls: bool = False,
    login: bool = False,
    size_limit: int = 33554432,
    keep: Callable[[bytes], object] | None = None,
) -> Iterator[MailServer]:
    controllers = pytest.importorskip("aiosmtpd.controller", reason="needs aiosmtpd: pip install 'soapsvc[test]'")
    from aiosmtpd.smtp import AuthResult

    box = Mailbox(keep)
    context = certificate.server_context() if certificate else None

    def known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, who: Any) -> AuthResult:
        return AuthResult(success=who.login == b"vendor" and who.password == SECRET.encode())

    more: dict[str, Any] = {"data_size_limit": size_limit, "enable_SMTPUTF8": False}
    if login:
        more |= {
            "authenticator": known,
            "auth_required": True,
            "auth_require_tls": context is not None and not implicit_tls,
        }
    if context is not None and not implicit_tls:
        more["tls_context"] = context

    class AnyPort(controllers.Controller):  # type: ignore[misc,name-defined]
        def _trigger_server(self) -> None:
            """As its own, but on the port that it got instead of the one that was asked for."""
            socket.create_connection(self.server.sockets[0].getsockname()).close()

    controller = AnyPort(box, "127.0.0.1", 0, ssl_context=context if implicit_tls else None, **more)
    controller.start()
    try:
        yield MailServer(controller.server.sockets[0].getsockname()[1], box)
    finally:
        controller.stop()


# FTP -----------------------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """A file server: where its files lie, its TCP port, and how it names its key (SFTP)."""

    root: Path
    port: int
    known_hosts: Path | None = None
    calls: list[str] = field(default_factory=list)


@contextlib.contextmanager
def ftp_server(
    root: Path, certificate: Certificate | None = None, *, before_write: Callable[[Any, str], None] | None = None
) -> Iterator[Site]:
    authorizers = pytest.importorskip("pyftpdlib.authorizers", reason="needs pyftpdlib: pip install 'soapsvc[test]'")
    from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
    from pyftpdlib.servers import ThreadedFTPServer

    authorizer = authorizers.DummyAuthorizer()
    authorizer.add_user("vendor", SECRET, str(root), perm="elradfmwMT")
    site = Site(root, 0)
    base = FTPHandler if certificate is None else TLS_FTPHandler

    class Handler(base):  # type: ignore[misc,valid-type]
        use_sendfile = False

        def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
            site.calls.append(cmd)
            super().pre_process_command(line, cmd, arg)

        def ftp_STOR(self, file: str, mode: str = "w") -> Any:
            if before_write is not None:
                before_write(self, file)
            return super().ftp_STOR(file, mode)

    Handler.authorizer = authorizer
    Handler.log_prefix = ""
    if certificate is not None:
        Handler.certfile = str(certificate.both)
        Handler.tls_control_required = Handler.tls_data_required = True
    import logging

    logging.getLogger("pyftpdlib").setLevel(logging.CRITICAL)
    server = ThreadedFTPServer(("127.0.0.1", 0), Handler)
    site.port = server.address[1]
    with serving(server):
        yield site


# SFTP ----------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def sftp_server(root: Path, folder: Path) -> Iterator[Site]:
    asyncssh = pytest.importorskip("asyncssh", reason="needs asyncssh: pip install 'soapsvc[test]'")
    pytest.importorskip("paramiko", reason="needs paramiko: pip install 'soapsvc[sftp]'")
    host_key = asyncssh.generate_private_key("ssh-ed25519")
    site = Site(root, 0, folder / "known_hosts")

    class Server(asyncssh.SSHServer):  # type: ignore[misc,name-defined]
        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return (username, password) == ("vendor", SECRET)

    class Files(asyncssh.SFTPServer):  # type: ignore[misc,name-defined]
        def __init__(self, channel: Any):
            super().__init__(channel, chroot=str(root))

    loop, ready, ended = asyncio.new_event_loop(), threading.Event(), asyncio.Event()

    async def serve() -> None:
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host_key], server_factory=Server, sftp_factory=Files
        )
        site.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    assert site.known_hosts is not None
    public = host_key.export_public_key("openssh").decode().strip()
    site.known_hosts.write_text(f"[127.0.0.1]:{site.port} {public}\n")
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
