"""An inbox in a file, and the certificate of the servers that targets are tried with."""

from __future__ import annotations

from tests.inbox.conftest import inbox_file, open_inbox
from tests.targets.conftest import certificate

__all__ = ["certificate", "inbox_file", "open_inbox"]
