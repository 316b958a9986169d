"""Peer: what one writes first with Spyne and waitress. python naive_spyne.py PORT FOLDER CLASSES [bytes]

With `bytes` the document's element is declared as ByteArray, Spyne's own word for base64, instead of the text that the
contract says: Spyne then decodes it, and libxml2 holds it against xs:base64Binary.

Does: Spyne's Soap11 with validator="lxml" on the classes that `soapsvc contract classes` makes of the contract
(CLASSES is that file), waitress as it comes (4 threads, one process). The handler decodes each document with the
standard library and writes it to a file of its own, with fsync of file and directory, before it answers.

Set beside the defaults, for large messages would be refused otherwise: huge_tree, max_content_length.

Does not: keep the raw message, properties or header; check that a document is strict base64; name deviations; tell a
redelivery from a first push; keep what it refuses; check HTTP (content type, charset, credentials).
"""

from __future__ import annotations

import base64
import importlib.util
import os
import runpy
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

MAX_BYTES = 1 << 30


def import_classes(file: Path, *, as_bytes: bool = False) -> ModuleType:
    """The module in the file; it imports Spyne and nothing of soapsvc.

    as_bytes  with ByteArray as the type of the document
    """
    if sys.version_info >= (3, 12):  # Spyne 2.14.0 does not import there by itself
        package = importlib.util.find_spec("soapsvc")
        assert package is not None
        assert package.submodule_search_locations is not None
        runpy.run_path(f"{package.submodule_search_locations[0]}/contract/spyne_import.py")
    source = file.read_text()
    if as_bytes:
        head, name, tail = source.partition("class DocDataType")
        changed = head + name + tail.replace("value = XmlData(Unicode)", "value = XmlData(ByteArray)", 1)
        assert changed != source, "the document's element is not found in the classes"
        source = changed.replace("import Service\n", "import Service\nfrom spyne.model.binary import ByteArray\n", 1)
    module = ModuleType("vendor_types")
    sys.modules["vendor_types"] = module
    exec(compile(source, file, "exec"), vars(module))  # noqa: S102  # it was generated for this
    return module


def store(document: bytes, folder: Path) -> None:
    """On disk when this returns: the file and its name."""
    fd = os.open(folder / uuid.uuid4().hex, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb", closefd=False) as out:
            out.write(document)
        os.fsync(fd)
    finally:
        os.close(fd)
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Answers:
    """Answers the contract's operations."""

    def __init__(self, types: Any, folder: Path):
        self.types, self.folder = types, folder

    def JobDocumentTransmitResult(self, ctx: Any, request: Any) -> Any:  # noqa: N802  # the operation's name
        for data in request.JobDocumentData:
            for document in data.Document:
                value = document.DocData.value
                store(base64.b64decode(value) if isinstance(value, str) else b"".join(value), self.folder)
        now = datetime.now(UTC)
        status = self.types.StatusType(StatusCode=0, StatusMessage="OK", SubmissionTime=now, CompletionTime=now)
        return self.types.JobDocumentTransmitResultAckType(Status=status, SubmitId=request.SubmitId)


def application(types: Any, folder: Path) -> Any:
    from spyne.application import Application
    from spyne.protocol.soap import Soap11
    from spyne.server.wsgi import WsgiApplication

    return WsgiApplication(
        Application(
            [types.JobDocumentTransmitResultPortType],
            tns=types.TARGET_NAMESPACE,
            config=Answers(types, folder),
            in_protocol=Soap11(validator="lxml", huge_tree=True),
            out_protocol=Soap11(),
        ),
        max_content_length=MAX_BYTES,
    )


def main() -> None:
    port, folder, classes = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    types = import_classes(classes, as_bytes="bytes" in sys.argv[4:])
    import waitress

    waitress.serve(application(types, folder), host="127.0.0.1", port=port)


if __name__ == "__main__":
    main()
