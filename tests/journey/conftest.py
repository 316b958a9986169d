"""The mailbox server that pushes come home from."""

from __future__ import annotations

from tests.intake.conftest import certificate, imap_server

__all__ = ["certificate", "imap_server"]
