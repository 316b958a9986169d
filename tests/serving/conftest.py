"""A receiver that most of these tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from soapsvc.serving.service import RunningServer
from tests.serving.connection import running_server

MAX_ENVELOPE_BYTES = 2_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """With every setting at its default, but for a smaller max_envelope_bytes."""
    with running_server(tmp_path_factory.mktemp("server"), max_envelope_bytes=MAX_ENVELOPE_BYTES) as running:
        yield running
