"""Plays the vendor: pushes by the WSDL in force, with retries and backup destinations.

from soapsvc.sender import Profile, PushContent, Sender, SentDocument

with Sender(Profile("http://127.0.0.1:8080/push")) as sender:
    outcome = sender.push(PushContent((SentDocument.of("report.csv", b"reference,status\\r\\n"),)))
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from soapsvc.sender.faults import Faults
    from soapsvc.sender.outcome import Attempt, Holder, Outcome
    from soapsvc.sender.profile import Backup, Profile
    from soapsvc.sender.push_content import PushContent, SentDocument
    from soapsvc.sender.retry_schedule import SCHEDULES, RetrySchedule
    from soapsvc.sender.sender import Sender

__all__ = ["SCHEDULES", "Attempt", "Backup", "Faults", "Holder", "Outcome", "Profile", "PushContent",
           "RetrySchedule", "Sender", "SentDocument"]  # fmt: skip
_MODULES = {
    "Faults": "faults", "Attempt": "outcome", "Holder": "outcome", "Outcome": "outcome", "Backup": "profile",
    "Profile": "profile", "PushContent": "push_content", "SentDocument": "push_content", "SCHEDULES": "retry_schedule",
    "RetrySchedule": "retry_schedule", "Sender": "sender",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Each name out of its module when it is asked for: zeep takes its time, and a file's DocType needs none of it."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"soapsvc.sender.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
