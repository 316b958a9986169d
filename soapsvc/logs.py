"""What the service says of itself: one event a line, on stderr, as text or JSON."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
from collections.abc import MutableMapping
from io import StringIO
from typing import Any, TextIO

import structlog

# Tracebacks without the local variables: a credential may be among them.
_AS_OBJECT = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))
_AS_TEXT = structlog.dev.plain_traceback
_PLAIN = re.compile(r"[!#-&(-<>-~]*")  # printed as it is: no space, quote or =, and nothing that moves a cursor


def configure_logs(log_format: str = "text", level: int = logging.INFO) -> None:
    """Send every event of ours, and what libraries log, to stderr.

    log_format  text (for people) or json (one object a line)
    level       of logging: events below it are dropped
    """
    out: Any = _Unfailing(sys.stderr)
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    if log_format == "json":
        drawn: list[Any] = [_AS_OBJECT, structlog.processors.JSONRenderer()]
    elif out.isatty():
        drawn = [structlog.dev.ConsoleRenderer(timestamp_key="at", exception_formatter=_AS_TEXT)]
    else:
        drawn = [structlog.processors.ExceptionRenderer(_traceback), _line]
    structlog.configure(
        processors=[*shared, *drawn],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=True,
    )
    of_libraries = logging.StreamHandler(out)
    of_libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *drawn],
        )
    )
    logging.basicConfig(handlers=[of_libraries], level=max(level, logging.WARNING))
    # Each request that finds no idle thread is a warning there, so under load each request is one.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    # Spyne logs whole documents at error level when one does not validate.
    logging.getLogger("spyne").setLevel(logging.CRITICAL)


def silence_logs() -> None:
    """Say nothing: for a program whose output is what people look at."""
    configure_logs(level=logging.CRITICAL)


def _line(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """One event as structlog's ConsoleRenderer shows it without colours; that one takes eight times as long, and there
    is a line for each push."""
    at, level, what = event.pop("at"), event.pop("level"), str(event.pop("event"))
    traceback = event.pop("exception", None)
    said = f"{at} [{level:<9}] {what:<30} {' '.join([f'{key}={_shown(event[key])}' for key in sorted(event)])}".rstrip()
    return said if traceback is None else f"{said}\n{traceback}"


def _shown(value: object) -> str:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else repr(value)


def _traceback(exc_info: Any) -> str:
    out = StringIO()
    _AS_TEXT(out, exc_info)
    return out.getvalue().strip("\n")


class _Unfailing:
    """A stream that loses what cannot be written: a log on a full disk must not take away the answer to a sender.

    stream  None: it was closed before the program began
    """

    def __init__(self, stream: TextIO | None):
        self._stream = stream

    def write(self, text: str) -> int:
        with contextlib.suppress(OSError, ValueError):  # ValueError: closed
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()

    def isatty(self) -> bool:
        return self._stream is not None and self._stream.isatty()
