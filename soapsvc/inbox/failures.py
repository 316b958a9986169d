"""From what a database or a file system complains of to the sentence that a sender is told."""

from __future__ import annotations

import contextlib
import errno
import sqlite3

import structlog
from sqlalchemy.exc import DBAPIError

from soapsvc.errors import StoreUnavailable

_LOG = structlog.get_logger(__name__)

_FULL = "The inbox's disk is full"
_READ_ONLY = "The inbox is read-only just now"
_NOT_READ = "The inbox may not be read by this user"
_NOT_WRITTEN = "The inbox may not be written by this user"
_BUSY = "The inbox is busy"
_DAMAGED = "The inbox is damaged and must be repaired"
_DISK_ERROR = "The inbox's disk reports an error"
_OTHER = "The inbox cannot be used just now"
_UNREACHABLE = "The inbox's database cannot be reached"
_NOT_LET_IN = "The inbox's database does not let this receiver in"
_NOT_STORED = "; nothing was stored. Keep this push and send it again later."
_IN_DOUBT = "; whether this push was stored is not known. Keep it and send it again later."

_BY_SQLITE_CODE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _READ_ONLY,
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_NOTADB: _DAMAGED,
    sqlite3.SQLITE_IOERR: _DISK_ERROR,
}
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _DISK_ERROR,
    errno.EFBIG: _DISK_ERROR,
}
_BY_SQLSTATE = {  # of PostgreSQL: the whole code, or its class
    "53100": _FULL,
    "53300": _BUSY,  # too many connections
    "55P03": _BUSY,  # the wait for a lock was too long
    "57014": _BUSY,  # a statement was
    "40P01": _BUSY,  # two waited for each other
    "25006": _READ_ONLY,
    "42501": _NOT_WRITTEN,
    "58030": _DISK_ERROR,
    "3D000": "The inbox's database is not there",
    "08": _UNREACHABLE,
    "57P": _UNREACHABLE,
    "28": _NOT_LET_IN,
    "XX": _DAMAGED,
}


class CommitInDoubt(StoreUnavailable):
    """The commit failed in a way that leaves open whether it took place: nothing may be acknowledged, and nothing
    that the rows would need may be removed before the database was asked again."""


class InboxDamaged(Exception):
    """What was acknowledged is not there any more, or not as it was: found when the store was opened again."""


def not_stored(cause: BaseException, doing: str) -> StoreUnavailable:
    """The refusal of a push; the cause itself goes to the log alone, without SQL and content.

    doing  what was tried, for the log: "commit", "file", …
    """
    return _told(cause, doing, _sentence(cause, _NOT_WRITTEN) + _NOT_STORED)


def perhaps_stored(cause: BaseException, doing: str) -> CommitInDoubt:
    """The same where the commit may have taken place."""
    return CommitInDoubt(str(_told(cause, doing, _sentence(cause, _NOT_WRITTEN) + _IN_DOUBT)))


def not_usable(cause: BaseException, doing: str) -> StoreUnavailable:
    """The same for who wanted to open or read."""
    return _told(cause, doing, f"{_sentence(cause, _NOT_READ)}.")


def lost(which: str) -> StoreUnavailable:
    """What was acknowledged cannot be handed out as it was received.

    which  content of which push, and what is wrong with it: a sentence without its point
    """
    return _told(InboxDamaged(which), "hand out", f"{which}.")


def _told(cause: BaseException, doing: str, sentence: str) -> StoreUnavailable:
    # the log may lie on the same full disk; the refusal must go out all the same
    with contextlib.suppress(OSError, ValueError):
        _LOG.error("inbox unavailable", doing=doing, cause=describe(cause), told=sentence)
    return StoreUnavailable(sentence)


def in_doubt(cause: BaseException) -> bool:
    """Whether a COMMIT that raised this may have taken place all the same.

    SQLite has told for certain that it has not when the disk was full (the frame that commits is written last) and
    when it did not get the lock; of anything else, and of another database, that is not known.
    """
    return _sqlite_code(cause) not in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY)


def describe(cause: BaseException) -> str:
    """The cause in one line without its SQL and parameters: they hold what customers sent."""
    original = cause.orig if isinstance(cause, DBAPIError) and cause.orig is not None else cause
    code = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    # PostgreSQL's detail quotes the values that it is about
    said = getattr(getattr(original, "diag", None), "message_primary", None) or original
    return f"{type(original).__name__}: {said}" + (f" ({code})" if code else "")


def is_busy(cause: BaseException) -> bool:
    """Whether another process had the database just then, and nothing was done."""
    return _sqlite_code(cause) == sqlite3.SQLITE_BUSY


def is_deadlock(cause: BaseException) -> bool:
    """Whether a database server ended this transaction, so that another one that waited for it gets through."""
    return getattr(getattr(cause, "orig", None), "sqlstate", None) == "40P01"


def _sentence(cause: BaseException, forbidden: str) -> str:
    if isinstance(cause, InboxDamaged):
        return _DAMAGED
    if isinstance(cause, PermissionError):
        return forbidden
    if isinstance(cause, OSError):
        return _BY_ERRNO.get(cause.errno or 0, _OTHER)
    return _BY_SQLITE_CODE.get(_sqlite_code(cause)) or _server_sentence(cause)


def _server_sentence(cause: BaseException) -> str:
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    sqlstate = getattr(original, "sqlstate", None)
    if sqlstate is None:  # psycopg's own: no server answered, or it went away
        return _UNREACHABLE if type(original).__module__.startswith("psycopg") else _OTHER
    return next((_BY_SQLSTATE[part] for part in (sqlstate, sqlstate[:3], sqlstate[:2]) if part in _BY_SQLSTATE), _OTHER)


def _sqlite_code(cause: BaseException) -> int:
    original = cause.orig if isinstance(cause, DBAPIError) else cause
    return int(getattr(original, "sqlite_errorcode", 0)) & 0xFF  # the low byte is the primary code
