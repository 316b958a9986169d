"""Reading a message as the receiver does, in one call."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from soapsvc.settings import OwnSettings
from soapsvc.spool import Spool
from soapsvc.wire.envelope_reader import Envelope, Limits, read_envelope, read_raw

Read = Callable[..., Envelope]
LIMITS = Limits.from_settings(OwnSettings())


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Read]:
    """`read(body)`: the Envelope, usable until the test ends; its raw bytes are held against the body each time."""
    with Spool(tmp_path) as spool:

        def reads(
            body: bytes,
            codec: str | None = "utf-8",
            limits: Limits = LIMITS,
            names: frozenset[str] = frozenset({"docdata"}),
        ) -> Envelope:
            envelope = read_envelope(
                read_raw(io.BytesIO(body), spool), codec=codec, limits=limits, document_names=names, spool=spool
            )
            with envelope.raw.open() as raw:
                assert raw.read() == body
            return envelope

        yield reads


def rules_of(envelope: Envelope) -> list[str]:
    """Ids of the rules that reading it found broken, the documents' included."""
    documents = [deviation for document in envelope.documents for deviation in document.deviations]
    return [deviation.rule for deviation in (*envelope.deviations, *documents)]
