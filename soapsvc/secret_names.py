"""Which names stand for a credential: of elements in a message, of HTTP headers. What they hold is shown as `MASK`."""

from __future__ import annotations

import re
from functools import lru_cache

MASK = "***"
_HOLDERS = frozenset({"authentication", "xddsauth", "wssauth", "security", "usernametoken"})
"""Elements all of whose content is a credential: the vendor's (Authentication, XDDSAuth, WSSAuth) and WS-Security's."""
_WORDS = ("password", "passwd", "secret")
_HEADER = re.compile(r"auth|cookie|credential|key|passw|secret|token", re.IGNORECASE)
_USERINFO = re.compile(r"://[^/?#@\s]+@")


def is_secret_element(local_name: str) -> bool:
    """Whether an element of this local name is a credential, with all that it contains; letter case aside."""
    name = local_name.lower()
    return name in _HOLDERS or any(word in name for word in _WORDS)


@lru_cache(maxsize=256)
def is_secret_header(name: str) -> bool:
    """Whether an HTTP header of this name carries a credential."""
    return _HEADER.search(name) is not None


def without_userinfo(text: str) -> str:
    """The text with user name and password taken out of each URL in it."""
    return _USERINFO.sub(f"://{MASK}@", text)
