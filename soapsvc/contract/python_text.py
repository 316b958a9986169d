"""Python source laid out as `ruff format` lays it out at 120 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

WIDTH = 120


def literal(text: str) -> str:
    """A string literal, in the quotes that need fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    shown = "".join(c if c.isprintable() and c != "\\" else ascii(c)[1:-1] for c in text)
    return quote + shown.replace(quote, "\\" + quote) + quote


def string_lines(head: str, text: str, indent: int) -> list[str]:
    """A string among the arguments of a call or the items of a tuple, on as many lines as it needs.

    head  what stands before it: `doc=`, or "" for an item
    """
    pad = " " * indent
    line = f"{pad}{head}{literal(text)},"
    pieces = textwrap.wrap(text, WIDTH - indent - 12, break_long_words=False, break_on_hyphens=False)
    if len(line) <= WIDTH or len(pieces) == 1:
        return [line]
    spaced = [*(f"{piece} " for piece in pieces[:-1]), pieces[-1]]
    return [f"{pad}{head}(", *(f"{pad}    {literal(piece)}" for piece in spaced), f"{pad}),"]


def call(head: str, arguments: Sequence[str], indent: int, documentation: str = "", tail: str = ")") -> list[str]:
    """A call on one line where it fits, else with an argument a line.

    head           up to the opening bracket, e.g. `Status = StatusType.customize(`
    documentation  handed over as doc=; "" for none
    """
    pad = " " * indent
    doc = [f"doc={literal(documentation)}"] if documentation else []
    line = f"{pad}{head}{', '.join([*arguments, *doc])}{tail}"
    if len(line) <= WIDTH:
        return [line]
    last = string_lines("doc=", documentation, indent + 4) if documentation else []
    return [f"{pad}{head}", *(f"{pad}    {argument}," for argument in arguments), *last, f"{pad}{tail}"]


def docstring(text: str, indent: int) -> list[str]:
    """A docstring, wrapped."""
    pad = " " * indent
    text = text.replace("\\", "\\\\").replace('"""', "'''")
    text = f" {text}" if text.startswith('"') else text
    text = f"{text} " if text.endswith('"') else text
    if len(pad) + len(text) + 6 <= WIDTH:
        return [f'{pad}"""{text}"""']
    lines = textwrap.wrap(text, WIDTH - indent - 4, break_long_words=False, break_on_hyphens=False)
    return [f'{pad}"""{lines[0]}', *(pad + line for line in lines[1:]), f'{pad}"""']


def comment(text: str, indent: int) -> list[str]:
    """A comment, wrapped."""
    pad = f"{' ' * indent}# "
    return [pad + line for line in textwrap.wrap(text, WIDTH - len(pad), break_long_words=False)]


def import_from(module: str, names: Iterable[str]) -> list[str]:
    """`from module import names`, sorted as isort sorts (constants, classes, functions), wrapped where it must be."""

    def kind(name: str) -> tuple[int, str]:
        return (0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2, name)

    ordered = sorted(names, key=kind)
    line = f"from {module} import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in ordered), ")"]
