"""Starts each peer and soapsvc itself on a free loopback port, in a directory of its own, and ends it again."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import BUILT, compiled
from bench.messages import NUMBER, SIZES, message
from bench.peers.contract_schema import write_schema

ROOT = Path(__file__).parents[1]
CHECKOUT = Path(os.environ.get("BENCH_CHECKOUT", ROOT)).absolute()
"""Whose soapsvc is measured."""
WSDL = ROOT / "wsdl" / "JobDocumentTransmit200810results.wsdl"
PEERS = Path(__file__).with_name("peers")
SYNC_MS = "BENCH_SYNC_MS"
"""In the environment: milliseconds that each sync of a receiver takes longer."""
READY_SECONDS = 60
STOP_SECONDS = 40  # soapsvc lets requests under way finish for 30
PHP_CHILDREN = 16  # as many as connections, so that none waits for a disk's sync of another
GSOAP_THREADS = 64  # a connection that is kept alive keeps its thread


class LeftOut(Exception):  # it is no error of the measurement
    """A peer that cannot be measured here; the text says why."""


@dataclass
class Running:
    """A peer that answers. `processes` are those that were started; their children belong to it too.

    ready_seconds  from the start of the last of them to the first acknowledgement
    """

    url: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    started_at: float = 0.0
    ready_seconds: float = 0.0

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.processes]

    def start(
        self,
        words: Sequence[object],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one program of the peer; what it prints goes to the peer's log."""
        self.started_at = time.monotonic()
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [str(word) for word in words],
                cwd=cwd or self.folder,
                env={**_environment(), **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user,
                start_new_session=True,  # so that its children can be ended with it, and Ctrl-C does not reach it
            )
        self.processes.append(process)
        return process

    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace") if (self.folder / "log").exists() else ""


@dataclass(frozen=True)
class Server:
    """What can be measured.

    label      its row in the table
    validates  whether it holds the message against the contract's schema
    begin      starts its programs; Errors: LeftOut
    """

    name: str
    label: str
    validates: bool
    begin: Callable[[Running, int], None]


@contextlib.contextmanager
def running(server: Server, *, scratch: Path | None = None) -> Iterator[Running]:
    """The server from the moment that it has acknowledged a first push, which is not part of any measurement.

    scratch  where its directory is made; the disk under it is what is measured

    Errors: LeftOut.
    """
    folder = Path(tempfile.mkdtemp(prefix=f"bench-{server.name}-", dir=scratch))
    port = free_port()
    peer = Running(f"http://127.0.0.1:{port}/push", folder)
    try:
        server.begin(peer, port)
        _wait_for_acknowledgement(peer)
        peer.ready_seconds = time.monotonic() - peer.started_at
        yield peer
    finally:
        for process in reversed(peer.processes):
            _end(process)
        shutil.rmtree(folder, ignore_errors=True)


def names_of(known: Collection[str]) -> Callable[[str], list[str]]:
    """What argparse reads a list of known names with, separated by commas."""

    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in known]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(known)}")
        return names

    return parse


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _environment() -> dict[str, str]:
    """Ours, without settings of soapsvc, and with the checkout ahead of what is installed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOAPSVC_")}
    if SYNC_MS in kept:
        kept["LD_PRELOAD"] = str(compiled(Path(__file__).with_name("slow_sync.c"), "slow_sync.so", "-shared", "-fPIC"))
    return {**kept, "PYTHONPATH": str(CHECKOUT), "PYTHONUNBUFFERED": "1"}


def _wait_for_acknowledgement(peer: Running) -> None:
    # a number of its own: the load's requests begin elsewhere
    push = message(SIZES["10KB"]).replace(NUMBER.encode(), b"100000000000")
    parts = urlsplit(peer.url)
    until = time.monotonic() + READY_SECONDS
    last = "no connection"
    while time.monotonic() < until:
        ended = [process for process in peer.processes if process.poll() is not None]
        if ended:
            raise LeftOut(f"it ended with {ended[0].returncode}: {_last_line(peer)}")
        try:
            connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=READY_SECONDS)
            headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '"basicInvoke"'}
            connection.request("POST", parts.path, push, headers)
            answer = connection.getresponse()
            body = answer.read()
            connection.close()
        except OSError:
            time.sleep(0.02)
            continue
        if answer.status == 200 and b"JobDocumentTransmitResultAck" in body:
            return
        last = f"{answer.status} {body[:300]!r}"
        time.sleep(0.1)
    raise LeftOut(f"no acknowledgement in {READY_SECONDS} seconds; last answer: {last}; log: {_last_line(peer)}")


def _last_line(peer: Running) -> str:
    lines = [line for line in peer.log().splitlines() if line.strip()]
    return lines[-1] if lines else "it says nothing"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):  # its session is its own: whoever is left there
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def needed(*programs: str) -> list[str]:
    """Paths of the programs. Errors: LeftOut: one is not installed."""
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = {program: shutil.which(program, path=path) for program in programs}
    for program, where in found.items():
        if where is None:
            raise LeftOut(f"{program} is not installed")
    return [str(where) for where in found.values()]


def _soapsvc(processes: int) -> Callable[[Running, int], None]:
    def begin(peer: Running, port: int) -> None:
        inbox = f"sqlite:///{peer.folder / 'inbox.db'}"
        subprocess.run([sys.executable, "-c", _MAKE, inbox], env=_environment(), cwd=CHECKOUT, check=True)
        _serve(peer, port, processes, inbox)

    return begin


_MAKE = """
import sys
from soapsvc.inbox.sql_store import open_store
open_store(sys.argv[1], quarantine_max_bytes=1, quarantine_max_bytes_per_source=1).close()
"""
"""Of its inbox: a receiver makes it once, and what that takes stays in the process that did it (Alembic, 10 MiB)."""


def _serve(peer: Running, port: int, processes: int, inbox: str, env: Mapping[str, str] | None = None) -> None:
    words = ["serve", "--listen", f"127.0.0.1:{port}", "--admin", f"127.0.0.1:{free_port()}", "--inbox", inbox]
    peer.start([sys.executable, "-m", "soapsvc", *words, "--processes", processes], env=env)


def _soapsvc_postgres(peer: Running, port: int) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # Debian keeps them outside PATH
    if not programs:
        raise LeftOut("PostgreSQL is not installed")
    store = peer.folder / "postgres"
    store.mkdir()
    user = None
    if os.geteuid() == 0:  # which PostgreSQL refuses to run as; its user must get into the directory
        user = "postgres"
        shutil.chown(store, user)
        peer.folder.chmod(0o711)
    initdb, postgres, pg_isready = (str(programs[-1] / name) for name in ("initdb", "postgres", "pg_isready"))
    words = ["-D", str(store / "data"), "--auth=trust", "--username=soapsvc", "--encoding=UTF8", "--locale=C.UTF-8"]
    made = subprocess.run([initdb, *words], cwd=store, capture_output=True, text=True, user=user)
    if made.returncode:
        raise LeftOut(f"initdb failed: {made.stderr.strip().splitlines()[-1]}")
    number = free_port()
    words = ["-D", str(store / "data"), "-p", str(number), "-k", str(store), "-c", "listen_addresses=127.0.0.1"]
    server = peer.start([postgres, *words], cwd=store, user=user)
    asked = [pg_isready, "-q", "-h", "127.0.0.1", "-p", str(number)]
    while server.poll() is None and subprocess.run(asked).returncode:
        time.sleep(0.05)
    (peer.folder / "documents").mkdir()
    places = {"SOAPSVC_DOCUMENTS": f"file://{peer.folder}/documents", "SOAPSVC_SPOOL": f"{peer.folder}/spool"}
    _serve(peer, port, 2, f"postgresql+psycopg://soapsvc@127.0.0.1:{number}/postgres", places)


def _naive_spyne(*more: str) -> Callable[[Running, int], None]:
    def begin(peer: Running, port: int) -> None:
        (peer.folder / "documents").mkdir()
        words = [PEERS / "naive_spyne.py", port, peer.folder / "documents", _classes(), *more]
        peer.start([sys.executable, *words])

    return begin


@cache
def _classes() -> Path:
    BUILT.mkdir(exist_ok=True)
    out = BUILT / "vendor_types.py"
    words = [sys.executable, "-m", "soapsvc", "contract", "classes", str(WSDL)]
    made = subprocess.run(words, capture_output=True, text=True, env=_environment(), cwd=CHECKOUT)
    if made.returncode:
        raise LeftOut(f"soapsvc contract classes failed: {made.stderr.strip()}")
    out.write_text(made.stdout)
    return out


def _bare(peer: Running, port: int) -> None:
    schema = write_schema(WSDL, peer.folder)
    (peer.folder / "store").mkdir()
    processes = min(2, len(os.sched_getaffinity(0)))
    peer.start([sys.executable, PEERS / "bare.py", port, peer.folder / "store", schema, processes])


def _php(script: str) -> Callable[[Running, int], None]:
    def begin(peer: Running, port: int) -> None:
        fpms = [path for folder in ("/usr/sbin", "/usr/local/sbin") for path in sorted(Path(folder).glob("php-fpm*"))]
        if not fpms:
            raise LeftOut("php-fpm is not installed")
        (nginx,) = needed("nginx")
        (peer.folder / "documents").mkdir()
        root = os.geteuid() == 0
        words = {
            "folder": peer.folder,
            "port": port,
            "script": PEERS / "php" / script,
            "schema": write_schema(WSDL, peer.folder),
            "wsdl": WSDL,
            "workers": len(os.sched_getaffinity(0)),
            "children": PHP_CHILDREN,
        }
        for name, user in (("nginx.conf", "user root;"), ("fpm.conf", "user = root\ngroup = root")):
            template = (PEERS / "php" / name).read_text()
            (peer.folder / name).write_text(template.format(**words, user=user if root else ""))
        peer.start([fpms[-1], "--nodaemonize", "--fpm-config", peer.folder / "fpm.conf", *(["-R"] if root else [])])
        peer.start([nginx, "-p", peer.folder, "-c", peer.folder / "nginx.conf", "-e", peer.folder / "log"])

    return begin


def _node(peer: Running, port: int) -> None:
    (node,) = needed("node")
    modules = _node_modules()
    (peer.folder / "documents").mkdir()
    script = PEERS / "node" / "server.js"
    peer.start([node, script, port, peer.folder / "documents", WSDL, 2], env={"NODE_PATH": str(modules)})


@cache
def _node_modules() -> Path:
    folder = BUILT / "node"
    if not (folder / "node_modules" / "soap").exists():
        (npm,) = needed("npm")
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(PEERS / "node" / "package.json", folder)
        made = subprocess.run([npm, "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True)
        if made.returncode:
            raise LeftOut("npm does not install the package soap")
    return folder / "node_modules"


def _gsoap(peer: Running, port: int) -> None:
    program = _gsoap_program()
    (peer.folder / "documents").mkdir()
    peer.start([program, port, peer.folder / "documents", GSOAP_THREADS])


@cache
def _gsoap_program() -> Path:
    wsdl2h, soapcpp2, gcc = needed("wsdl2h", "soapcpp2", "gcc")
    header = Path("/usr/include/stdsoap2.h")
    if not header.exists():
        raise LeftOut("gSOAP's header stdsoap2.h is not installed (libgsoap-dev)")
    source, folder = PEERS / "gsoap" / "server.c", BUILT / "gsoap"
    program = folder / "server"
    if program.exists() and program.stat().st_mtime > max(source.stat().st_mtime, WSDL.stat().st_mtime):
        return program
    folder.mkdir(parents=True, exist_ok=True)
    # the macros change the size of what the library was compiled with
    macros = ["-DWITH_IPV6", "-DWITH_DOM"]
    for words in (
        [wsdl2h, "-c", "-o", "contract.h", str(WSDL)],
        [soapcpp2, "-c", "-S", "-x", "-L", "-I/usr/share/gsoap/import", "contract.h"],
        [
            gcc,
            "-O2",
            "-w",
            *macros,
            "-I.",
            "-o",
            "server",
            str(source),
            "soapC.c",
            "soapServer.c",
            "-lgsoap",
            "-lpthread",
        ],
    ):
        made = subprocess.run(words, cwd=folder, capture_output=True, text=True)
        if made.returncode:
            raise LeftOut(f"{Path(words[0]).name} failed: {(made.stderr.strip().splitlines() or ['?'])[-1]}")
    return program


SERVERS = {
    server.name: server
    for server in [
        Server("naive", "naive Spyne (lxml validator) on waitress", True, _naive_spyne()),
        Server("naive-bytes", "naive Spyne, the document as ByteArray", True, _naive_spyne("bytes")),
        Server("soapsvc", "**soapsvc**, 1 process", True, _soapsvc(1)),
        Server("soapsvc-2", "**soapsvc**, 2 processes", True, _soapsvc(2)),
        Server("soapsvc-pg", "**soapsvc**, 2 processes, PostgreSQL", True, _soapsvc_postgres),
        Server("php-simplexml", "PHP SimpleXML (FPM, nginx)", False, _php("simplexml.php")),
        Server("php-soap", "PHP SoapServer (FPM, nginx)", False, _php("soapserver.php")),
        Server("php-validate", "PHP DOMDocument, schemaValidate (FPM, nginx)", True, _php("validate.php")),
        Server("node", "node, package soap, 2 processes", False, _node),
        Server("gsoap", "gSOAP in C, 64 threads", False, _gsoap),
        Server("bare", "bare limit: waitress, lxml, schema, pybase64, group commit, 2 pinned processes", True, _bare),
    ]
}
"""In the order of the table."""
