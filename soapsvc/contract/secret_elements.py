"""Which parts of a message hold a credential; their text is stored and shown as `MASK`. The raw envelope keeps it."""

from __future__ import annotations

import re

from lxml import etree

from soapsvc.contract.message_parts import remembered, role_of_name

MASK = "***"
_HOLDERS = frozenset({"authentication", "xddsauth", "wssauth", "security", "usernametoken"})
"""Elements all of whose content is a credential: the vendor's (Authentication, XDDSAuth, WSSAuth) and WS-Security's."""
_USERINFO = re.compile(r"://[^/?#@\s]+@")
_WORDS = ("password", "passwd", "secret")


def holds_credential(element: etree._Element) -> bool:
    """Whether the element is one, or stands inside one."""
    at: etree._Element | None = element
    while at is not None:
        if isinstance(at.tag, str) and is_credential_name(at.tag):
            return True
        at = at.getparent()
    return False


@remembered
def is_credential_name(tag: str) -> bool:
    """Whether an element of this Clark name is a credential, with all that it contains; letter case aside."""
    local_name = role_of_name(tag)
    return local_name in _HOLDERS or any(word in local_name for word in _WORDS)


def without_userinfo(text: str) -> str:
    """The text with user name and password taken out of each URL in it."""
    return _USERINFO.sub(f"://{MASK}@", text)
