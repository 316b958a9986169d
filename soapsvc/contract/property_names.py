"""The two dialects in which the vendor names properties, as one set of names.

A push names them the WSDA way; the vendor's API, whose messages look alike, names the same values differently. Letter
case is not significant in either [S1] (docs/contract.md lists the sources).
"""

from __future__ import annotations

from soapsvc.contract.message_parts import remembered

START_TIME, ENTRY_TIME, SUBJECT = "StartTime", "EntryTime", "Subject"

_API_NAMES = {
    "UserAccountNumber": "USER",
    SUBJECT: "orig_email_subject",
    "OrigFromAddress": "orig_email_from",
    START_TIME: "start_time",
    ENTRY_TIME: "entry_time",
}
"""WSDA name to API name: the rows of the vendor's table that are known. The API's stand in a segment called USER."""

KNOWN_NAMES = {
    **{wsda.lower(): wsda for wsda in _API_NAMES},
    **{api.lower(): wsda for wsda, api in _API_NAMES.items()},
}
"""Every known name in lower case to its canonical spelling, which is the WSDA one."""


@remembered
def canonical_name(sent_name: str) -> str:
    """The canonical spelling of a property's name; as sent where the name is not known.

    A segment written before the name (`USER/orig_email_subject`) is left out: `split_name` tells it.
    """
    _, name = split_name(sent_name)
    return KNOWN_NAMES.get(name.strip().lower(), name)


@remembered
def split_name(sent_name: str) -> tuple[str | None, str]:
    """The segment that a name carries in front of a slash, None for none, and the rest. A property's own name has
    letters, digits and underscores [S16], so a slash is no part of it."""
    segment, slash, name = sent_name.rpartition("/")
    return (segment, name) if slash and segment and name else (None, sent_name)


@remembered
def is_time(name: str) -> bool:
    """Whether a canonical name is that of a time, known or not."""
    return name.lower().endswith("time")
