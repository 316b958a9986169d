"""A mailbox on an IMAP server. It is examined, not selected, and messages are peeked at: nothing there changes unless
what was taken in is to be moved, removed or marked as read.

A message is known by the mailbox's UIDVALIDITY and its UID (RFC 3501, 2.3.1.1): when the server says that its UIDs
begin anew, all messages are new, and what makes two pushes the same tells those that are not.
"""

from __future__ import annotations

import base64
import contextlib
import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import ip_address

from soapsvc.errors import Unreachable
from soapsvc.intake.remote_source import Access
from soapsvc.intake.source import Disposal, Found, Gone, Part, PartKind, Write

PIECE_BYTES = 1024 * 1024  # of a message, asked for at once
MAX_LITERAL_BYTES = 4 * PIECE_BYTES  # a server that announces more than was asked for is not believed
UIDS_AT_ONCE = 200  # in one command that changes something
_LISTED = re.compile(rb"UID (?P<uid>[0-9]+)")
_SIZE = re.compile(rb"RFC822\.SIZE (?P<size>[0-9]+)")
_DATE = re.compile(rb'INTERNALDATE "(?P<date>[^"]{20,32})"')
_SAID_CHARS = 200


class ImapSource:
    """The messages of one mailbox.

    url      without secrets
    mailbox  its name as people write it
    tls      from the first byte (imaps); False: by STARTTLS, which is left out on this machine's own addresses alone
    """

    settles = False

    def __init__(self, url: str, host: str, port: int, mailbox: str, access: Access, *, tls: bool, max_items: int):
        self.url, self._host, self._port, self._access, self._tls = url, host, port, access, tls
        self._mailbox, self._max_items = mailbox, max_items
        self._connection: imaplib.IMAP4 | None = None
        self._uidvalidity = ""
        self._abilities: frozenset[str] = frozenset()

    def state(self) -> tuple[str, ...] | None:
        with self._asking(anew=True) as server:
            # UIDNEXT grows with each new message; the number, too, when one was put back
            words = (self._uidvalidity, _word(server, "UIDNEXT"), _word(server, "EXISTS"))
        return ("imap", *words) if all(words) else None

    def look(self) -> Sequence[Found]:
        with self._asking() as server:
            answers = _answered(server.uid("FETCH", "1:*", "(UID FLAGS RFC822.SIZE INTERNALDATE)"))
        found = []
        for answer in answers:
            told = answer if isinstance(answer, bytes) else b""
            uid, size = _LISTED.search(told), _SIZE.search(told)
            if uid is None or size is None or rb"\Deleted" in told:
                continue
            part = Part(PartKind.EMAIL, uid["uid"].decode(), int(size["size"]))
            mark = ("imap", self._uidvalidity, part.place)
            found.append(Found(f"UID {part.place} of {self._uidvalidity}", mark, (part,), _time(told)))
            if len(found) >= self._max_items:
                break
        return found

    def fetch(self, part: Part, write: Write) -> None:
        begin = 0
        while True:
            with self._asking() as server:
                asked = f"(BODY.PEEK[]<{begin}.{PIECE_BYTES}>)"
                answers = _answered(server.uid("FETCH", part.place, asked))
            pieces = [answer[1] for answer in answers if isinstance(answer, tuple)]
            if not pieces and begin == 0:
                raise Gone
            for piece in pieces:
                write(piece)
                begin += len(piece)
            if sum(map(len, pieces)) < PIECE_BYTES:
                return

    def put_away(self, taken: Sequence[Found], how: Disposal) -> None:
        uids = [found.parts[0].place for found in taken if found.mark[1] == self._uidvalidity]
        examined = self._uidvalidity
        try:
            with self._asking(anew=True, to_write=True) as server:
                if self._uidvalidity != examined:
                    raise Unreachable(f"{self.url} has begun its UIDs anew; nothing was moved or removed there.")
                for begin in range(0, len(uids), UIDS_AT_ONCE):
                    self._put_away(server, ",".join(uids[begin : begin + UIDS_AT_ONCE]), how)
        finally:
            self.close()  # the next look examines again

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.logout()

    def _put_away(self, server: imaplib.IMAP4, uids: str, how: Disposal) -> None:
        if how.seen:
            _answered(server.uid("STORE", uids, "+FLAGS.SILENT", r"(\Seen)"))
        if how.move_to is not None:
            name = _quoted(how.move_to)
            with contextlib.suppress(imaplib.IMAP4.error):
                server.create(name)  # says no where it is there
            if "MOVE" in self._abilities:
                _answered(server.uid("MOVE", uids, name))
                return
            _answered(server.uid("COPY", uids, name))
        if how.move_to is not None or how.delete:
            _answered(server.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)"))
            if "UIDPLUS" in self._abilities:  # a plain EXPUNGE would remove what others have marked
                _answered(server.uid("EXPUNGE", uids))

    @contextmanager
    def _asking(self, *, anew: bool = False, to_write: bool = False) -> Iterator[imaplib.IMAP4]:
        """The server, with the mailbox open. anew: opened now, for its state as it is."""
        try:
            if self._connection is None:
                self._connection = self._logged_in()
                anew = True
            if anew:
                self._open(self._connection, to_write)
            yield self._connection
        except Unreachable:
            self.close()
            raise
        except (imaplib.IMAP4.error, OSError, EOFError, ValueError) as error:
            self.close()
            raise Unreachable(f"{self.url} cannot be used: {self._said(error)}") from error

    def _logged_in(self) -> imaplib.IMAP4:
        context = ssl.create_default_context(cafile=self._access.ca_file)
        seconds = self._access.timeout_seconds
        server: imaplib.IMAP4
        if self._tls:
            server = _BoundedTls(self._host, self._port, ssl_context=context, timeout=seconds)
        else:
            server = _Bounded(self._host, self._port, timeout=seconds)
            if "STARTTLS" in server.capabilities and not _is_loopback(self._host):
                server.starttls(ssl_context=context)
            elif not _is_loopback(self._host):
                server.shutdown()
                raise Unreachable(
                    f"{self.url} offers no STARTTLS, and a password is not sent in the clear: write imaps:// instead."
                )
        server.login(self._access.user or "", self._access.password or "")
        told = b" ".join(one for one in _answered(server.capability()) if isinstance(one, bytes))
        self._abilities = frozenset(told.decode("ascii", "replace").upper().split())  # more than before the login
        return server

    def _open(self, server: imaplib.IMAP4, to_write: bool) -> None:
        _answered(server.select(_quoted(self._mailbox), readonly=not to_write))
        self._uidvalidity = _word(server, "UIDVALIDITY")
        if not self._uidvalidity:
            raise Unreachable(f"{self.url} tells no UIDVALIDITY, so its messages cannot be known again.")

    def _said(self, error: Exception) -> str:
        said = " ".join(str(error).removeprefix("b'").removesuffix("'").split()) or type(error).__name__
        if self._access.password:
            said = said.replace(self._access.password, "***")
        return said if len(said) <= _SAID_CHARS else f"{said[:_SAID_CHARS]}…"


class _Bounded(imaplib.IMAP4):
    def read(self, size: int) -> bytes:
        return super().read(_bounded(size))


class _BoundedTls(imaplib.IMAP4_SSL):
    def read(self, size: int) -> bytes:
        return super().read(_bounded(size))


def _bounded(size: int) -> int:
    if size > MAX_LITERAL_BYTES:
        raise imaplib.IMAP4.abort(f"the server announces {size} bytes where at most {PIECE_BYTES} were asked for")
    return size


def _answered(answer: tuple[str, Sequence[object]]) -> Sequence[object]:
    kind, told = answer
    if kind != "OK":
        first = told[0] if told else b""
        raise imaplib.IMAP4.error(first.decode("utf-8", "replace") if isinstance(first, bytes) else kind)
    return told


def _word(server: imaplib.IMAP4, name: str) -> str:
    """What the server told when the mailbox was opened."""
    told = server.untagged_responses.get(name)
    return told[-1].decode("ascii", "replace") if told and isinstance(told[-1], bytes) else ""


def _time(told: bytes) -> datetime | None:
    found = _DATE.search(told)
    with contextlib.suppress(ValueError):
        if found is not None:
            return datetime.strptime(found["date"].decode().strip(), "%d-%b-%Y %H:%M:%S %z").astimezone(UTC)
    return None


def _quoted(mailbox: str) -> str:
    """The name as IMAP has it: modified UTF-7 in quotes (RFC 3501, 5.1.3)."""
    encoded, other = [], ""
    for character in f"{mailbox}\0":  # the NUL ends what is waiting
        if " " <= character <= "~" or character == "\0":
            if other:
                coded = base64.b64encode(other.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
                encoded.append(f"&{coded}-")
                other = ""
            encoded.append("&-" if character == "&" else character.rstrip("\0"))
        else:
            other += character
    name = "".join(encoded).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}"'


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
