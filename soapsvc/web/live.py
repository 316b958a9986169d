"""What came since somebody looked: one server-sent event, after which the browser asks again.

A stream that stays open would hold one of the admin listener's few threads for each page that is open anywhere. So each
answer is whole: how many pushes are newer, and after how long to ask again (the browser's own EventSource does).
"""

from __future__ import annotations

import json

from flask import Response, abort

from soapsvc.errors import StoreUnavailable
from soapsvc.inbox.push_id import is_push_id
from soapsvc.inbox.store import InboxStore
from soapsvc.web.asked import given
from soapsvc.web.desk import Desk

ASK_AGAIN_MILLISECONDS = 1000
COUNTED = 999  # new pushes; more are "999+"


def event(store: InboxStore, desk: Desk) -> Response:
    """An event "pushes" with the newest id and how many came after ?seen=."""
    seen = given("seen")
    if seen is not None and not is_push_id(seen):
        abort(400, f"seen is {seen!r}; wanted: the id of a push")
    newest = next((row.id for row in store.rows(limit=1)), None)
    new = 0
    if seen is not None and newest is not None and newest > seen:
        try:
            new = max(desk.index.newer_than(seen, COUNTED), 1) if desk.index else 1
        except StoreUnavailable:
            new = 1
    told = json.dumps({"newest": newest, "new": new})
    lines = f"retry: {ASK_AGAIN_MILLISECONDS}\nevent: pushes\ndata: {told}\n\n"
    return Response(lines, mimetype="text/event-stream")
