"""The admin application on a store of the test's own, and a page as a browser would take it apart."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from soapsvc.inbox.sql_store import SqlStore
from soapsvc.settings import OwnSettings
from soapsvc.web.admin_app import admin_app

CONTRACT = "c0ffee" + "0" * 58
_VOID = {"meta", "link", "br", "img", "hr", "input"}


def client_of(store: SqlStore, **settings: Any) -> FlaskClient:
    """A client of the application with these settings."""
    return admin_app(OwnSettings(**settings), store, CONTRACT).test_client()


class Page(HTMLParser):
    """The elements of a page in their order, what a reader reads, and whether every element was closed."""

    def __init__(self, answer: TestResponse):
        super().__init__()
        assert answer.status_code == 200, answer.text
        assert answer.content_type == "text/html; charset=utf-8"
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self._texts: list[tuple[str, str]] = []
        self.feed(answer.text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self._texts.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        return " ".join("".join(text for _, text in self._texts).split())

    def texts_of(self, tag: str) -> list[str]:
        return [text for within, text in self._texts if within == tag]

    def links(self, containing: str = "") -> list[str]:
        found = (attributes.get("href") or "" for tag, attributes in self.elements if tag == "a")
        return [link for link in found if containing in link]

    def attributes(self) -> Iterator[str]:
        for _, attributes in self.elements:
            yield from attributes
