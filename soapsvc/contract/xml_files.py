"""Reading the files of a contract: no DTD, no entity, no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

from lxml import etree

from soapsvc.errors import ContractError


class _DoctypeWatch:
    """A parser target that keeps nothing and remembers whether a document type declaration came by."""

    seen = False

    def doctype(self, name: str | None, public_id: str | None, system_id: str | None) -> None:
        self.seen = True
        raise ValueError("document type declaration")  # ends the parse before the declarations inside are read

    def start(self, tag: str, attributes: object) -> None: ...

    def end(self, tag: str) -> None: ...

    def close(self) -> None: ...


def read_file(path: Path) -> bytes:
    """The bytes of a file of the contract. Errors: ContractError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ContractError(
            path, None, f"the file cannot be read: {error.strerror}", "name a file that is there and readable"
        ) from error


def parse_file(path: Path, raw: bytes) -> etree._Element:
    """The root of a file of the contract, with line numbers.

    Errors  ContractError: not well-formed, or it has a document type declaration (BP 1.1 R1008 forbids it in messages,
            and neither a WSDL nor a schema needs one)
    """
    watch = _DoctypeWatch()
    options = {"resolve_entities": False, "no_network": True, "load_dtd": False}
    try:
        etree.fromstring(raw, etree.XMLParser(target=watch, **options))  # type: ignore[arg-type]
        root = etree.fromstring(raw, etree.XMLParser(**options), base_url=path.resolve().as_uri())  # type: ignore[arg-type]
    except (etree.XMLSyntaxError, ValueError) as error:
        if watch.seen:
            raise ContractError(
                path,
                None,
                "the file has a document type declaration",
                "leave the <!DOCTYPE …> out: nothing here uses it",
            ) from None
        line = error.lineno if isinstance(error, etree.XMLSyntaxError) else None
        raise ContractError(
            path, line, f"the file is not well-formed XML: {_reason(error)}", "mend it so that an XML parser reads it"
        ) from error
    return root


def line_of(element: etree._Element) -> int | None:
    """The line that the element's start tag ends on, from 1."""
    return cast("int | None", element.sourceline)


def text_of(element: etree._Element | None) -> str:
    """The text of an element and all within it, white space collapsed; "" for None."""
    return "" if element is None else " ".join("".join(cast("Iterator[str]", element.itertext())).split())


def _reason(error: Exception) -> str:
    sentence = str(error.msg if isinstance(error, etree.XMLSyntaxError) else error)
    return sentence.splitlines()[0].partition(", line")[0]
