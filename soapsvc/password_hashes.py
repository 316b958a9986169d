"""Hashes of passwords, as werkzeug.security makes them and `soapsvc password` prints them."""

from __future__ import annotations

import hashlib
import re

from pydantic import SecretStr

_HASH = re.compile(
    r"(?:scrypt(?::(?P<n>[0-9]{1,7}):(?P<r>[1-9][0-9]{0,2}):(?P<p>[1-9][0-9]?))?|pbkdf2:(?P<digest>\w+)(?::[1-9][0-9]{0,8})?)"
    r"\$[^$\s]+\$[0-9a-f]+"
)


def is_password_hash(value: SecretStr) -> bool:
    """Whether werkzeug can hold a password against it; not tried out, for that takes long on purpose."""
    parts = _HASH.fullmatch(value.get_secret_value())
    if parts is None:
        return False
    if parts["digest"] is not None:
        return parts["digest"] in hashlib.algorithms_available
    if parts["n"] is None:
        return True
    n, r, p = int(parts["n"]), int(parts["r"]), int(parts["p"])
    lawful = 1 < n < 2 ** (16 * r) and n & (n - 1) == 0  # RFC 7914, 2: a power of two
    return lawful and 128 * r * (n + 2 + p) <= 132 * n * r * p < 2**31  # the memory that werkzeug lets OpenSSL have
