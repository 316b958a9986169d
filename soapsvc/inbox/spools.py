"""Where lies what is not stored yet: a directory for each process of this machine.

inbox.db.spool/NAME/    one process's; NAME/alive is locked by it, so that whoever comes later sees which are dead
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from threading import Lock

from soapsvc.errors import StoreError
from soapsvc.inbox.database import beside, exclusive_lock, make_directory


class Spools:
    """The directories of all processes; that of this one is made when it is needed. OSError comes out as it is.

    root    holds them
    locked  the file whose companion `.lock` is held while one is made or cleared away
    disk    whose free space is looked at
    """

    def __init__(self, root: Path, locked: Path, disk: Path):
        self.root, self._locked, self._disk = root, locked, disk
        self._own: _Own | None = None
        self._lock = Lock()

    @classmethod
    def of(cls, inbox_file: Path | None, setting: Path | None) -> Spools:
        """Beside a SQLite file; else where the setting says, or in the directory for temporary files.

        Errors  StoreError: set for a SQLite file
        """
        if inbox_file is None:
            root = (setting or Path(tempfile.gettempdir()) / f"soapsvc-spool-{os.geteuid()}").absolute()
            return cls(root, root / "spool", root)
        if setting is not None:
            raise StoreError(
                "spool is set, and the inbox is a SQLite file, beside which it lies: "
                "take spool away, or name an inbox in PostgreSQL."
            )
        return cls(beside(inbox_file, ".spool"), inbox_file, inbox_file.parent)

    def make(self) -> None:
        """The disk's directory is there, and nobody else's. Errors: StoreError: it is."""
        make_directory(self._disk)
        if self._disk == self.root and self.root.stat().st_uid != os.geteuid():
            raise StoreError(f"The spool {self.root} belongs to another user: name one of your own with spool = …")

    def free_bytes(self) -> int:
        """Of the disk."""
        return shutil.disk_usage(self._disk).free

    def own(self) -> Path:
        """This process's directory. It is made with the first question, for whoever only looks leaves no trace, and
        again at the same path, where others look for it, when somebody has removed it."""
        with self._lock:
            if self._own is None:
                self._own = _Own(self.root, self._locked)
            elif not self._own.path.is_dir():
                self._own.make_again()
            return self._own.path

    def clear_dead(self) -> None:
        """Remove the directories whose process no longer holds its lock."""
        with exclusive_lock(self._locked), contextlib.suppress(FileNotFoundError), os.scandir(self.root) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False) and not _is_alive(Path(entry.path)):
                    shutil.rmtree(entry.path, ignore_errors=True)

    def close(self) -> None:
        """Remove this process's directory."""
        with self._lock:
            if self._own is not None:
                self._own.close()
                self._own = None


class _Own:
    def __init__(self, root: Path, locked: Path):
        self._locked = locked
        make_directory(root)
        with exclusive_lock(locked):  # so that nobody clears it away between its making and its locking
            self.path = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=root))
            self._alive = self._hold()

    def make_again(self) -> None:
        make_directory(self.path.parent)
        with exclusive_lock(self._locked):
            make_directory(self.path)
            os.close(self._alive)
            self._alive = self._hold()

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._alive)

    def _hold(self) -> int:
        alive = os.open(self.path / "alive", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(alive, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return alive


def _is_alive(spool: Path) -> bool:
    try:
        handle = os.open(spool / "alive", os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False  # killed before it had made the file
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
