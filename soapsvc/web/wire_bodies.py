"""The bodies of logged requests: a push has them, nothing else does."""

from __future__ import annotations

from soapsvc.errors import StoreError
from soapsvc.inbox.exchange import Exchange
from soapsvc.inbox.store import InboxStore
from soapsvc.web.wire_forms import HAR_BODY_BYTES


class WireBodies:
    """Reads them from one store."""

    def __init__(self, store: InboxStore):
        self._store = store

    def small(self, one: Exchange) -> bytes | None:
        """The whole body; None: there is none, it is not kept (any more), or larger than HAR_BODY_BYTES."""
        if one.push_id is None or not one.body_bytes or one.body_bytes > HAR_BODY_BYTES:
            return None
        try:
            with self._store.open_raw(one.push_id) as stream:
                raw = stream.read(HAR_BODY_BYTES + 1)
        except (StoreError, OSError):
            return None
        return raw if len(raw) <= HAR_BODY_BYTES else None
