"""The certificate of the servers that targets are tried with."""

from __future__ import annotations

from tests.targets.conftest import certificate

__all__ = ["certificate"]
