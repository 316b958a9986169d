"""PostgreSQL as the inbox's database: which URLs are taken, and connections that never keep a sender waiting for long.

A sender gives up after 15 seconds. So whatever the database does, hang included, an operation ends in time:

    connect               CONNECT_SECONDS for each host of the URL
    wait for a lock       LOCK_SECONDS, then the server ends the statement
    statement that writes STATEMENT_SECONDS, then the server ends it
    any answer            ANSWER_SECONDS, then the connection is closed here: for a server that does not end anything
    one transaction       TRANSACTION_SECONDS in all
    silence in a transaction  IDLE_SECONDS, then the server lets go of the locks of a receiver that vanished
"""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import URL, Engine, QueuePool, create_engine

from soapsvc.errors import StoreError

CONNECT_SECONDS = 2  # the least that libpq takes
LOCK_SECONDS = 3
STATEMENT_SECONDS = 4
ANSWER_SECONDS = 4.5
TRANSACTION_SECONDS = 8.0
IDLE_SECONDS = 10
POOL_SECONDS = 4.0  # until a connection of the process's own pool is free
PATIENT_SECONDS = 300.0  # for who counts or lists, and no sender waits
MIGRATION_SECONDS = 3600.0
WRITERS = 1  # connections of one process: its writer,
READERS = 4  # and those that read, and write the pieces of large contents
SEARCHERS = 2  # connections of the process that shows the pages, for the search index alone
OLDEST_SERVER = 140000  # client_connection_check_interval came with it

TAKEN = frozenset(
    {
        "host", "hostaddr", "port", "target_session_attrs", "passfile", "application_name", "require_auth",
        "channel_binding", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslnegotiation",
        "ssl_min_protocol_version", "gssencmode", "krbsrvname", "keepalives", "keepalives_idle",
        "keepalives_interval", "keepalives_count", "tcp_user_timeout",
    }
)  # fmt: skip
"""Parameters of libpq that may follow the question mark. Not `options`: it could take away what is checked here."""

_OWN = {  # for each connection, unless the URL says otherwise: a machine that vanished is noticed within seconds
    "application_name": "soapsvc",
    "keepalives_idle": "10",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "8000",
}
_WRITING = ("read-write", "primary")


@dataclass(frozen=True, slots=True)
class Limits:
    """How long the caller of a connection waits, in seconds.

    answer       for one answer
    transaction  for all of one transaction
    statement    after which the server ends a statement; 0: never
    lock         after which the server ends a statement that waits for a lock; 0: never
    """

    answer: float = ANSWER_SECONDS
    transaction: float = TRANSACTION_SECONDS
    statement: float = STATEMENT_SECONDS
    lock: float = LOCK_SECONDS


WRITER_LIMITS = Limits()
READER_LIMITS = Limits(statement=0)
SEARCH_LIMITS = Limits(answer=20.0, transaction=20.0, statement=20)
MIGRATION_LIMITS = Limits(MIGRATION_SECONDS, MIGRATION_SECONDS, 0, 0)


def server_url(url: URL) -> URL:
    """The URL of an inbox in PostgreSQL, with its driver. Errors: StoreError, which shows no value."""
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise StoreError(f"The URL of the inbox names the driver {url.drivername}: write postgresql+psycopg://…")
    unknown = sorted(set(url.query) - TAKEN)
    if unknown:
        raise StoreError(
            f"The URL of the inbox has the parameter {unknown[0]}, which is none that is taken: take it away, or use "
            f"one of {', '.join(sorted(TAKEN))}. A password stands in PGPASSWORD or in a passfile."
        )
    if not url.database:
        raise StoreError("The URL of the inbox names no database: write postgresql+psycopg://USER@HOST/DATABASE")
    return url.set(drivername="postgresql+psycopg")


def server_engine(url: URL, connections: int, limits: Limits, *, writes: bool) -> Engine:
    """Connections to the server, each checked to keep what it commits.

    connections  that this engine holds at most
    writes       only a server that takes writes will do, and only one that keeps them; False: any, to look
    """
    parameters = _parameters(url, writes)
    _bounded_connection()  # told here, not at the first connection, when psycopg is not there

    def connect() -> Any:
        return _connect(parameters, limits, writes)

    return create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=True,
        pool_use_lifo=True,  # the others grow old, and the server is rid of them after the next pause
        pool_recycle=1800,
        hide_parameters=True,  # they are what customers sent
    )


def be_patient(driver_connection: Any) -> None:
    """Let the next transaction of a connection take its time: nobody's sender waits for it."""
    driver_connection.limits = Limits(PATIENT_SECONDS, PATIENT_SECONDS, 0, 0)


def be_in_haste(driver_connection: Any) -> None:
    driver_connection.limits = READER_LIMITS


def _parameters(url: URL, writes: bool) -> dict[str, Any]:
    given = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    of_url = {"user": url.username, "password": url.password, "host": url.host, "port": url.port}
    parameters: dict[str, Any] = {name: value for name, value in of_url.items() if value is not None}
    parameters |= {"dbname": url.database, "connect_timeout": CONNECT_SECONDS, **_OWN, **given}
    if writes:
        wanted = parameters.setdefault("target_session_attrs", "read-write")
        if wanted not in _WRITING:
            raise StoreError(
                f"The URL of the inbox has target_session_attrs={wanted}; a receiver writes: "
                "take it away, or write read-write."
            )
    return parameters


def _connect(parameters: dict[str, Any], limits: Limits, writes: bool) -> Any:
    connection = _bounded_connection().connect(**parameters)
    try:
        connection.limits = limits
        _set_up(connection, limits, writes)
    except BaseException:
        connection.close()
        raise
    return connection


def _set_up(connection: Any, limits: Limits, writes: bool) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise StoreError(f"The database server is PostgreSQL {version // 10000}: an inbox needs 14 or newer.")
    session = {
        "statement_timeout": limits.statement,
        "lock_timeout": limits.lock,
        "idle_in_transaction_session_timeout": IDLE_SECONDS if limits.transaction <= PATIENT_SECONDS else 0,
        "client_connection_check_interval": 2,  # a statement ends when nobody waits for it any more
    }
    found = connection.execute(
        "SELECT "
        + ", ".join(f"set_config('{name}', '{int(seconds * 1000)}', false)" for name, seconds in session.items())
        + ", current_setting('fsync'), current_setting('full_page_writes'), current_setting('data_sync_retry')"
        + ", current_setting('synchronous_commit')"
    ).fetchone()
    connection.commit()
    if not writes:
        return
    fsync, full_page_writes, data_sync_retry, synchronous_commit = found[len(session) :]
    for name, value, wanted in (
        ("fsync", fsync, "on"),
        ("full_page_writes", full_page_writes, "on"),
        ("data_sync_retry", data_sync_retry, "off"),
    ):
        if value != wanted:
            raise StoreError(
                f"The database server runs with {name}={value}: it could lose what was acknowledged. "
                f"Set {name}={wanted} and start it again."
            )
    if synchronous_commit not in ("on", "remote_apply"):
        raise StoreError(
            f"The database server runs with synchronous_commit={synchronous_commit} for this user: it could lose what "
            "was acknowledged. Set synchronous_commit=on for it (or remote_apply)."
        )


@cache
def _bounded_connection() -> Any:
    """The class of the connections; made when it is needed, for psycopg is not there without the extra `postgres`."""
    try:
        import psycopg
        from psycopg.pq import TransactionStatus
    except ImportError:
        raise StoreError("An inbox in PostgreSQL needs psycopg: pip install 'soapsvc[postgres]'") from None

    class BoundedConnection(psycopg.Connection[Any]):
        """A connection that is closed when an answer takes too long, and whose commit is what it says.

        A query is not cancelled then: to cancel a COMMIT that waits for its standby makes it answer yes, though the
        standby does not have it. Closed, nobody takes it for committed.
        """

        limits = WRITER_LIMITS

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._until = 0.0
            self._warning: str | None = None
            self.add_notice_handler(self._note)

        def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
            now = time.monotonic()
            if self.pgconn.transaction_status == TransactionStatus.IDLE:
                self._until = now + self.limits.transaction
            until = min(self._until, now + self.limits.answer)
            return super().wait(self._bounded(gen, until), *args, **options)

        def commit(self) -> None:
            self._warning = None
            super().commit()
            if self._warning is not None:  # the wait for the standby was cancelled by somebody
                self.close()
                raise psycopg.OperationalError(f"COMMIT was answered with a warning: {self._warning}")

        def _bounded(self, gen: Any, until: float) -> Generator[Any, Any, Any]:
            wanted = None
            try:
                wanted = next(gen)
                while True:
                    ready = yield wanted
                    if not ready and time.monotonic() > until:  # asked ten times a second
                        self.close()
                        raise psycopg.OperationalError("the database server did not answer in time")
                    wanted = gen.send(ready)
            except StopIteration as ended:
                return ended.value

        def _note(self, diagnostic: Any) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                self._warning = diagnostic.message_primary

    return BoundedConnection
