"""HTTP Basic authentication against hashes that are slow on purpose, without paying for them with every push."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr
from werkzeug.security import check_password_hash

GUESSES = 10
GUESSES_SECONDS = 60.0
SOURCES = 10_000  # whose wrong guesses are remembered


class Credentials:
    """Who may push.

    users   name to a hash made by `soapsvc password`
    A credential that was found right once is recognised by its HMAC under a key of this process; the password itself is
    kept nowhere. Wrong ones are hashed one at a time: each costs 32 MB and some 50 ms on purpose. So that nobody keeps
    the receiver busy with them, a source that guessed wrong GUESSES times is not believed for GUESSES_SECONDS; a
    credential that was found right before still is.
    """

    def __init__(self, users: Mapping[str, SecretStr]):
        self._hashes = {user: secret.get_secret_value() for user, secret in users.items()}
        self._key = secrets.token_bytes(32)
        self._right: set[bytes] = set()
        self._wrong: OrderedDict[str, _Guesses] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    @property
    def wanted(self) -> bool:
        """Whether anybody needs a credential at all."""
        return bool(self._hashes)

    def hold(self, authorization: str, source: str) -> bool:
        """Whether the value of an Authorization header is the credential of somebody who may push.

        source  address that it came from
        """
        sent = _user_and_password(authorization)
        if sent is None:
            return False
        user, password = sent
        recognised = hmac.digest(self._key, f"{user}:{password}".encode(), "sha256")
        if recognised in self._right:
            return True
        known = self._hashes.get(user)
        with self._one_at_a_time:
            if self._guessed_too_often(source):
                return False
            # an unknown user costs the same time as a wrong password
            right = check_password_hash(known or next(iter(self._hashes.values())), password)
            if not right or known is None:
                self._count_wrong(source)
                return False
        self._right.add(recognised)
        return True

    def _guessed_too_often(self, source: str) -> bool:
        wrong = self._wrong.get(source)
        if wrong is not None and time.monotonic() - wrong.since > GUESSES_SECONDS:
            del self._wrong[source]
            return False
        return wrong is not None and wrong.count >= GUESSES

    def _count_wrong(self, source: str) -> None:
        wrong = self._wrong.setdefault(source, _Guesses(time.monotonic()))
        wrong.count += 1
        if len(self._wrong) > SOURCES:
            self._wrong.popitem(last=False)


@dataclass(slots=True)
class _Guesses:
    """Wrong credentials of one source since a moment of the monotonic clock."""

    since: float
    count: int = 0


def _user_and_password(authorization: str) -> tuple[str, str] | None:
    """What RFC 7617 puts into the header, in UTF-8; None: it is something else."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(token.strip(), validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None
