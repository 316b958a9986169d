"""What people and programs read: tables and lines on stdout, sentences on stderr.

Whatever a sender sent (properties, file names, a fault's sentence) goes through `printable` before it reaches a
terminal: an escape sequence in a Subject must not move the cursor, retitle the window or hide a line.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

_PIPED_WIDTH = 10_000  # columns that there are for what is piped: a program that reads lines wants them in full
_ALIGNED_CHARS = 100  # a longer value moves what follows it, where it is piped, instead of widening every line
_LINES_SHOWN = 4  # lines of a terminal that one value may fill
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def printable(text: str) -> str:
    """The text with every character that is not seen as itself written as an escape: controls, line ends, marks that
    turn the direction of writing, unassigned and lone surrogate code points."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else _escape(c) for c in text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def printable_lines(text: str) -> str:
    """The same for a text of several lines: line ends and tabs stay."""
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n"))


def complain(sentence: str) -> None:
    """Tell a person on stderr what went wrong."""
    for line in sentence.splitlines():
        print(f"soapsvc: {printable(line)}", file=sys.stderr)


def tell(sentence: str) -> None:
    """Tell a person on stderr what is being done; stdout is for what was asked."""
    print(printable(sentence), file=sys.stderr, flush=True)


def print_json(item: dict[str, Any]) -> None:
    """One object on one line, in ASCII, so in UTF-8 as well."""
    print(json.dumps(item, ensure_ascii=True))


def console() -> Console:
    """Stdout as rich writes to it: a terminal with its width and colours (NO_COLOR honoured), or plain lines."""
    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=_PIPED_WIDTH, color_system=None, force_terminal=False)


def show(*shown: Table | Text | str) -> None:
    """Print to stdout. What is piped is never folded, and no line of it ends in blanks; a terminal gets the first lines
    of a very long value."""
    from rich.table import Table

    if sys.stdout.isatty():
        screen = console()
        for one in shown:
            if isinstance(one, Table):
                _shorten_cells(one, _LINES_SHOWN * screen.width)
            screen.print(one)
        return
    for one in shown:
        for line in _plain_lines(one) if isinstance(one, Table) else str(one).split("\n"):
            print(line.rstrip())


def _shorten_cells(made: Table, limit: int) -> None:
    from rich.text import Text

    for column in made.columns:
        for cell in column.cells:
            if isinstance(cell, Text) and len(cell) > limit:
                left_out = len(cell) - limit
                cell.right_crop(left_out)
                cell.append(f"… {left_out} characters more, --json")


def _plain_lines(made: Table) -> Iterator[str]:
    from rich.cells import cell_len

    columns = [
        [str(cell).split("\n") for cell in ([column.header] if made.show_header else []) + list(column.cells)]
        for column in made.columns
    ]
    widths = [
        max((w for cell in column for line in cell if (w := cell_len(line)) <= _ALIGNED_CHARS), default=0)
        for column in columns
    ]
    right = [column.justify == "right" for column in made.columns]
    gap = " " * made.padding[1]
    for row in zip(*columns, strict=True):
        for lines in zip_longest(*row, fillvalue=""):
            blanks = [" " * (width - cell_len(line)) for line, width in zip(lines, widths, strict=True)]
            aligned = zip(lines, blanks, right, strict=True)
            yield gap.join(blank + line if is_right else line + blank for line, blank, is_right in aligned)


def text(value: object, style: str = "") -> Text:
    """The value as rich text that is not read as markup; None becomes a dash."""
    from rich.text import Text

    return Text("-" if value is None or value == "" else printable(str(value)), style=style)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    right: Sequence[str] = (),
    whole: Sequence[str] = (),
    gap: int = 2,
) -> Table:
    """Rows under headings without lines between; a cell is a value, rich text, or a tuple of lines.

    right  columns that hold numbers
    whole  columns that are never folded
    gap    blanks between columns
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column in whole
        )
    for row in rows:
        made.add_row(*map(_cell, row))
    return made


def _cell(value: object) -> Text:
    from rich.text import Text

    if isinstance(value, Text):
        return value
    if isinstance(value, tuple):
        return Text("\n").join(map(_cell, value))
    return text(value)


def facts(pairs: Iterable[tuple[str, object]]) -> Table:
    """Two columns: what, and its value."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in pairs:
        made.add_row(text(name), _cell(value))
    return made


def moment(at: datetime | None) -> str:
    """A time to the second, in UTC: 2026-11-23 08:39:54Z."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def size(size_bytes: int | None) -> str:
    """A number of bytes as people read it: 11.2 KiB."""
    if size_bytes is None:
        return "-"
    amount = float(size_bytes)
    for unit in _UNITS:
        if amount < 1024 or unit == _UNITS[-1]:
            break
        amount /= 1024
    return f"{size_bytes} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"


def count(number: int, one: str, many: str | None = None) -> str:
    """1 push, 2 pushes."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def write_bytes(pieces: Iterable[bytes]) -> None:
    """Bytes to stdout as they are."""
    sys.stdout.flush()
    for piece in pieces:
        sys.stdout.buffer.write(piece)
