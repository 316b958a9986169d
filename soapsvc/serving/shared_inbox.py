"""The files of a SQLite inbox, which all processes of a service use: one that is started again uses the same."""

from __future__ import annotations

import contextlib
import os

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.database import identity, inbox_url, sqlite_path
from soapsvc.inbox.sql_store import make_store
from soapsvc.serving.forks import FORK, end_with_parent, start_fork
from soapsvc.settings import Settings


def make_inbox(settings: Settings) -> None:
    """Where there is no SQLite file yet, have it made by a child: what is read for that, and never again, takes 10 MB.
    What the child met, whoever opens the inbox meets and tells. To be called before there are threads.

    Errors  StoreError: the setting names no inbox
    """
    file = sqlite_path(inbox_url(settings.inbox))
    if file is None or os.path.exists(file):
        return
    making = FORK.Process(target=_end_with_inbox, args=(settings.inbox,), name="inbox")
    with contextlib.suppress(OSError):
        start_fork(making)
        making.join()


def _end_with_inbox(url: str) -> None:
    end_with_parent()
    make_store(url)


class SharedInbox:
    """To be made before the forks. Of an inbox on a database server there is nothing to tell."""

    def __init__(self, settings: Settings):
        self._file = sqlite_path(inbox_url(settings.inbox))
        self._in_use = FORK.RawArray("Q", 4)  # its identity; zeros: nobody has opened it yet

    def check(self, *, alone: bool) -> None:
        """That a process may open it. One that was taken away is not made anew, and acknowledged into; what lies there
        instead is not mixed with what the others have open.

        alone   no other process has it open, for all that is known
        Errors  StoreUnavailable
        """
        if any(self._in_use):
            found = self._found()
            if not alone and found != tuple(self._in_use):
                raise StoreUnavailable(
                    f"{self._file} or its -wal was replaced while other processes have it open: put back what was "
                    "there, or start the service again"
                )

    def opened(self, *, alone: bool) -> None:
        """A process has opened it: who is not alone from now on has the same. Errors: as of check(), once more: it may
        have been taken away in between."""
        if self._file is not None and alone:
            self._in_use[:] = self._found()
        else:
            self.check(alone=alone)

    def _found(self) -> tuple[int, ...]:
        try:
            return identity(self._file) if self._file is not None else ()
        except FileNotFoundError:
            raise StoreUnavailable(
                f"{self._file} is gone: put it back, or start the service again to have a new one"
            ) from None
        except OSError as cause:
            raise StoreUnavailable(f"{self._file} cannot be looked at: {cause.strerror}") from cause
