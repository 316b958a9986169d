"""`soapsvc demo`: a receiver on an embedded store, every sample pushed to it by the sender, and what became of them."""

from __future__ import annotations

import hashlib
import signal
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from soapsvc.cli.inbox_tables import list_table
from soapsvc.cli.output import complain, console, facts, show, table, tell, text
from soapsvc.errors import SendError
from soapsvc.shipped import SAMPLES, WSDL_FILE

if TYPE_CHECKING:
    from rich.table import Table

    from soapsvc.inbox.store import InboxStore
    from soapsvc.sender.push_client import PushClient
    from soapsvc.serving.service import RunningServer
    from soapsvc.settings import Settings

_PORTS = (8080, 8081)
_REPORT = SAMPLES / "sampleReport.xml"
_REFUSED = SAMPLES / "refused"
_LINES_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Sent:
    """One sample that was pushed.

    acknowledgement  the answer's bytes; None: it got a fault
    sentence         what the sender was told in that case
    seconds          from the first byte sent to the last byte of the answer
    """

    sample: Path
    acknowledgement: bytes | None
    sentence: str
    seconds: float


@click.command(short_help="See all of it at once: start here.")
@click.option("--once", is_flag=True, help="Show it and end; exit 0 when all went as expected.")
def demo(once: bool) -> int:
    """Start a receiver on an embedded store, push the samples to it through the sender, and show what it stored.

    Stays until Ctrl-C, so that you can look at the admin page and push to it yourself. Reads no settings, and leaves
    nothing behind: the store lies in a temporary directory.
    """
    from soapsvc.logs import silence_logs
    from soapsvc.serving.service import RunningServer

    silence_logs()
    with tempfile.TemporaryDirectory(prefix="soapsvc-demo-") as folder:
        settings = _settings(Path(folder))
        server = RunningServer(settings)
        try:
            unexpected = _show_all(server, settings)
            for sentence in unexpected:
                complain(f"not as expected: {sentence}")
            if not once:
                _stay(server, settings)
        finally:
            server.stop()
    return 1 if unexpected else 0


def _settings(folder: Path) -> Settings:
    from soapsvc.settings import OwnSettings

    listen, admin = (f"127.0.0.1:{port if _is_free(port) else 0}" for port in _PORTS)
    own: dict[str, Any] = {"listen": listen, "admin": admin, "inbox": f"sqlite:///{folder / 'inbox.db'}"}
    return OwnSettings(**own)


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the listener will
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _show_all(server: RunningServer, settings: Settings) -> list[str]:
    """Push, and show what became of it; what was not as expected comes back as sentences."""
    from soapsvc.inbox.sql_store import open_store
    from soapsvc.sender.push_client import PushClient

    show(
        text("A receiver is up", "bold"),
        facts(
            (
                ("takes pushes at", server.public_url),
                ("shows them at", server.admin_url),
                ("by the contract", f"{WSDL_FILE.name}: a reconstruction, not the vendor's file"),
                ("conformance", settings.conformance),
            )
        ),
    )
    client = PushClient(server.public_url, wsdl=WSDL_FILE)
    samples = _samples()
    sent = [_push(client, sample) for sample in samples]
    again = _push(client, _REPORT)
    refused = _push(client, _refused_sample())
    show("", text("Pushed through zeep", "bold"), _sent_table(sent, again, refused))
    store = open_store(settings.inbox, quarantine_max_bytes=0, quarantine_max_bytes_per_source=0, create=False)
    try:
        rows = list(store.rows(limit=None))
        show("", text("What the inbox holds (soapsvc inbox list)", "bold"), list_table(rows, console().width))
        _show_report(store)
        stats = store.stats()
    finally:
        store.close()
    show("", text(f"What the sender of {_name(refused.sample)} was told", "bold"), text(refused.sentence))
    held = (stats.accepted, stats.quarantined, stats.redeliveries, stats.conflicts)
    return [
        *(f"{_name(one.sample)} got no acknowledgement: {one.sentence}" for one in sent if one.acknowledgement is None),
        *(["the redelivery got another answer than the first time"] if again.acknowledgement != sent[0].acknowledgement
          else []),
        *([f"{_name(refused.sample)} was acknowledged"] if refused.acknowledgement is not None else []),
        *([f"accepted, quarantined, redeliveries and conflicts are {held}, not {(len(samples), 1, 1, 0)}"]
          if held != (len(samples), 1, 1, 0) else []),
    ]  # fmt: skip


def _samples() -> list[Path]:
    """Every sample that is to be acknowledged, the job report first."""
    return sorted(SAMPLES.glob("*.xml"), key=lambda sample: (sample != _REPORT, sample.name))


def _refused_sample() -> Path:
    """One that breaks a rule of the schema, so that the sentence tells an element, a line and what was wanted."""
    return min(_REFUSED.glob("*.xml"))


def _push(client: PushClient, sample: Path) -> Sent:
    envelope, begun = sample.read_bytes(), time.perf_counter()
    try:
        acknowledgement, sentence = client.replay(envelope).raw, ""
    except SendError as error:
        acknowledgement, sentence = None, str(error)
    return Sent(sample, acknowledgement, sentence, time.perf_counter() - begun)


def _sent_table(sent: list[Sent], again: Sent, refused: Sent) -> Table:
    rows = [
        *((one, "") for one in sent),
        (again, "redelivery: same answer" if again.acknowledgement == sent[0].acknowledgement else "redelivery"),
        (refused, ""),
    ]
    return table(
        ("sample", "bytes", "answer", "after", ""),
        (
            (_name(one.sample), one.sample.stat().st_size,
             text("fault", "red") if one.acknowledgement is None else text("acknowledged", "green"),
             f"{one.seconds * 1000:.0f} ms", text(note or " "))
            for one, note in rows
        ),
        right=("bytes", "after"), whole=("sample", "answer"),
    )  # fmt: skip


def _show_report(store: InboxStore) -> None:
    """The first lines of the report that came in sampleReport.xml, decoded."""
    decoded = (SAMPLES / "decoded" / f"{_REPORT.stem}.1.csv").read_bytes()
    digest = hashlib.sha256(decoded).hexdigest()
    for row in store.rows(limit=None):
        if [document.sha256 for document in row.documents] == [digest]:
            with store.open_document(row.id, 1) as stream:
                lines = stream.read().decode(row.documents[0].charset or "utf-8").splitlines()
            show(
                "",
                text(f"{row.documents[0].filename} out of {_name(_REPORT)}, {len(lines)} lines "
                     f"(soapsvc inbox get {row.id[-6:]})", "bold"),
                *(text(line) for line in lines[:_LINES_SHOWN]),
                text("…", "dim"),
            )  # fmt: skip


def _stay(server: RunningServer, settings: Settings) -> None:
    show(
        "",
        text("It stays up until Ctrl-C", "bold"),
        facts(
            (
                ("look at it", server.admin_url),
                ("or", f"SOAPSVC_INBOX={settings.inbox} soapsvc inbox list"),
                ("push to it", f"soapsvc push FILE --to {server.public_url}"),
                ("its WSDL", f"{server.public_url}?wsdl"),
            )
        ),
    )
    sys.stdout.flush()  # or whoever reads it through a pipe would see nothing before the end
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        signal.pause()
    except KeyboardInterrupt:
        click.echo(err=True)  # past the ^C that the terminal shows
        tell("stopped: the demo's inbox is gone")


def _name(sample: Path) -> str:
    return str(sample.relative_to(SAMPLES))
