"""Peer: the least that Python can do about it. python bare.py PORT FOLDER SCHEMA PROCESSES

Does: waitress, lxml's parser and XMLSchema (SCHEMA: that of the whole message, from the contract), pybase64 and
sqlite3, without a framework; PROCESSES processes, each pinned to a core, each with a store of its own. All pushes that
wait at the same time share one commit (WAL, synchronous=FULL). A document of more than 128 KiB goes to a synced file,
its name to the row. It is a limit to measure against, not a receiver that anybody would run.

Does not: any SOAP check beyond the schema; strict base64 (white space and strangers are skipped); keep the raw message;
keep header or properties in a form to search; name deviations; tell a redelivery; keep what it refuses; log.
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sqlite3
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pybase64
from lxml import etree
from waitress import serve

IN_ROW_BYTES = 128 * 1024
TNS = "{http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10}"
ACKNOWLEDGEMENT = b"""<?xml version='1.0' encoding='UTF-8'?>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>\
<JobDocumentTransmitResultAck xmlns="http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10"><Status>\
<StatusCode>0</StatusCode><SubmissionTime>2012-11-04T13:20:01Z</SubmissionTime>\
<CompletionTime>2012-11-04T13:20:01Z</CompletionTime></Status></JobDocumentTransmitResultAck></e:Body></e:Envelope>"""
FAULT = b"""<?xml version='1.0' encoding='UTF-8'?>
<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><e:Fault><faultcode>e:Client</faultcode>\
<faultstring>not valid</faultstring></e:Fault></e:Body></e:Envelope>"""


class Committer:
    """One thread that writes the rows of all waiting requests in one transaction."""

    def __init__(self, file: Path):
        self._file = file
        self._waiting: queue.SimpleQueue[tuple[tuple[Any, ...], threading.Lock]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def commit(self, row: tuple[Any, ...]) -> None:
        """Returns when the row is on disk."""
        done = threading.Lock()
        done.acquire()
        self._waiting.put((row, done))
        done.acquire()

    def _run(self) -> None:
        database = sqlite3.connect(self._file, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("CREATE TABLE pushes (job TEXT, properties TEXT, document BLOB, file TEXT)")
        while True:
            batch = [self._waiting.get()]
            while not self._waiting.empty():
                batch.append(self._waiting.get())
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO pushes VALUES (?, ?, ?, ?)", [row for row, _ in batch])
            database.execute("COMMIT")
            for _, done in batch:
                done.release()


class Receiver:
    def __init__(self, folder: Path, schema: Path):
        self._folder, self._schema = folder, schema
        self._committer = Committer(folder / f"store-{os.getpid()}.db")
        self._of_thread = threading.local()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        own = self._of_thread
        if not hasattr(own, "schema"):
            own.schema = etree.XMLSchema(etree.parse(self._schema))
            own.parser = etree.XMLParser(huge_tree=True, resolve_entities=False, no_network=True)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        root = etree.fromstring(body, own.parser)
        answer, status = (FAULT, "500 Error")
        if own.schema.validate(root):
            self._store(root)
            answer, status = (ACKNOWLEDGEMENT, "200 OK")
        start_response(status, [("Content-Type", "text/xml; charset=utf-8"), ("Content-Length", str(len(answer)))])
        return [answer]

    def _store(self, root: Any) -> None:
        document = pybase64.b64decode(root.find(f".//{TNS}DocData").text)
        properties = "\n".join(f"{one.get('name')}={one.text}" for one in root.iter(f"{TNS}Property"))
        name = None
        if len(document) > IN_ROW_BYTES:
            name = uuid.uuid4().hex
            write_synced(self._folder, name, document)
            document = b""
        self._committer.commit((root.findtext(f".//{TNS}MRN"), properties, document, name))


def write_synced(folder: Path, name: str, content: bytes) -> None:
    fd = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(fd, rest) :]
    os.fsync(fd)
    os.close(fd)
    fd = os.open(folder, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def main() -> None:
    port, folder, schema, processes = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # else a line for nearly every request under load
    sockets = []
    for _ in range(processes):  # all bound before the first fork, so that none gets every connection
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listening.bind(("127.0.0.1", port))
        sockets.append(listening)
    cores = sorted(os.sched_getaffinity(0))
    children = []
    for number, listening in enumerate(sockets):
        child = os.fork()
        if child:
            children.append(child)
            continue
        os.sched_setaffinity(0, {cores[number % len(cores)]})
        serve(
            Receiver(folder, schema),
            sockets=[listening],
            threads=8,
            recv_bytes=256 * 1024,
            inbuf_overflow=4 * 1024 * 1024,
            asyncore_use_poll=True,
            backlog=1024,
        )
        return
    for listening in sockets:
        listening.close()

    def stop(*_: object) -> None:
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, stop)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
