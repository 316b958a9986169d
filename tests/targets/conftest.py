"""Servers that several modules hand pushes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.targets.servers import Certificate, HttpServer, http_server, make_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as told:
        yield told
