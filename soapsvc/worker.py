"""The worker, put together: the inbox's deliveries, and what retention removes. Inside `serve`, or apart from it."""

from __future__ import annotations

import signal
import threading
from types import TracebackType

import structlog

from soapsvc.delivery.dispatcher import Dispatcher
from soapsvc.delivery.entry_target import open_entry
from soapsvc.errors import StoreError
from soapsvc.inbox.store import InboxStore
from soapsvc.logs import configure_logs
from soapsvc.settings import Settings
from soapsvc.shutdown import EndingSignals, Shutdown

log = structlog.get_logger()

RETENTION_SECONDS = 3600.0


class Worker:
    """Delivers and removes until the shutdown begins, as the settings say; without any of that it has no threads.

    Errors  SettingsError: a target cannot be opened; StoreUnavailable
    """

    def __init__(self, settings: Settings, store: InboxStore, shutdown: Shutdown):
        self._settings, self._store, self._shutdown = settings, store, shutdown
        entries = [one for one in settings.delivery if not (one.paused or one.is_lease)]
        self._dispatcher = Dispatcher(
            store,
            [(entry, open_entry(entry, settings)) for entry in entries],
            claim_seconds=settings.delivery_claim_seconds,
        )
        self._keeper: threading.Thread | None = None

    def __enter__(self) -> Worker:
        self._dispatcher.start()
        self._shutdown.then(self._dispatcher.begin_nothing_more)
        if self._settings.retention.given:
            self._keeper = threading.Thread(target=self._keep, name="retention", daemon=True)
            self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shutdown.begin()
        if not self._dispatcher.stop(self._shutdown.seconds_left):
            log.warning("a delivery is still under way; it is repeated when its claim has ended")
        if self._keeper is not None:
            self._keeper.join(self._shutdown.seconds_left)

    def _keep(self) -> None:
        while True:
            try:
                done = self._store.retention.apply(self._settings.retention, stopped=lambda: self._shutdown.begun)
                if done.pushes:
                    log.info("retention", pushes_removed=done.pushes, bytes_removed=done.bytes, weeks=done.weeks)
            except StoreError as unavailable:
                log.warning("retention not applied", cause=str(unavailable))
            except Exception:
                log.exception("retention failed")
            if self._shutdown.wait(RETENTION_SECONDS):
                return


def run_worker(settings: Settings, store: InboxStore) -> int:
    """Work until SIGTERM or SIGINT; the exit code."""
    configure_logs(settings.log_format)
    shutdown = Shutdown(settings.shutdown_seconds)
    EndingSignals(signal.SIGTERM, signal.SIGINT).begin(shutdown)
    with Worker(settings, store, shutdown):
        names = [one.name for one in settings.delivery if not (one.paused or one.is_lease)]
        log.info("worker ready", delivers_to=names, retention=settings.retention.given)
        shutdown.wait()
    return 0
