"""Which parts of a message hold a credential; their text is stored and shown as `MASK`. The raw envelope keeps it."""

from __future__ import annotations

from lxml import etree

from soapsvc.contract.message_parts import remembered, role_of_name
from soapsvc.secret_names import MASK, is_secret_element, without_userinfo

__all__ = ["MASK", "holds_credential", "is_credential_name", "without_userinfo"]


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
    return is_secret_element(role_of_name(tag))
