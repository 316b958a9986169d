"""The measured rows as markdown and as a picture."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape

from rich.console import Console
from rich.markdown import Markdown

from bench.measuring import CONNECTIONS, Row
from bench.servers import ROOT, SERVERS

PAGE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "pictures" / "peers.svg"
Rows = Mapping[str, Mapping[str, Row]]
"""By size, then by server."""


def markdown(rows: Rows, left_out: Mapping[str, str], facts: Sequence[str], *, picture: bool) -> str:
    """The tables, what was left out, and on what it was measured."""
    parts = [_summary(rows)]
    if picture:
        parts.append(f"![Rates as multiples of naive Spyne's](pictures/{PICTURE.name})")
    parts += [_detail(size, rows[size]) for size in rows]
    errors = [
        f"- {SERVERS[row.server].label}, {size}: {row.errors} of {row.errors + row.requests} requests failed; the "
        f"first: `{row.first_error.strip()}`"
        for size in rows
        for row in rows[size].values()
        if row.errors
    ]
    parts += ["\n".join(errors)] if errors else []
    parts += ["\n".join(f"- Left out: {SERVERS[name].label}: {reason}" for name, reason in left_out.items())]
    parts += ["\n".join(f"- {fact}" for fact in facts)]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(header: Sequence[str], lines: Sequence[Sequence[object]]) -> str:
    """A markdown table: the first column is text, the others numbers."""
    drawn = [header, ["---", *["--:"] * (len(header) - 1)], *lines]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in drawn)


def show(text: str) -> None:
    """Print markdown, drawn on a terminal and as it is elsewhere, where rich would wrap the tables."""
    console = Console()
    if console.is_terminal:
        console.print(Markdown(text))
    else:
        print(text)


def put_between(page: str, marker: str, text: str) -> str:
    """The page with what stands between <!-- marker --> and <!-- /marker --> replaced; appended when it has none."""
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    if begin not in page or end not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n"
    before, _, rest = page.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{text.strip()}\n{end}{after}"


def write_table(marker: str, text: str) -> None:
    """Put the tables into the page."""
    page = PAGE.read_text() if PAGE.exists() else "# Performance\n"
    PAGE.write_text(put_between(page, marker, text))


def draw(rows: Rows) -> None:
    """Put the picture beside the page."""
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(svg(rows))


def _ordered(names: Sequence[str]) -> list[str]:
    return [name for name in SERVERS if name in names]


def _summary(rows: Rows) -> str:
    names = _ordered([name for of_size in rows.values() for name in of_size])
    header = ["receiver", *(f"{size}: × naive, × ByteArray (a second)" for size in rows), "checks the schema"]
    lines = [
        [
            SERVERS[name].label,
            *(_ratio_and_rate(rows[size].get(name)) for size in rows),
            "yes" if SERVERS[name].validates else "no",
        ]
        for name in names
    ]
    return table(header, lines)


def _ratio_and_rate(row: Row | None) -> str:
    if row is None:
        return "-"
    ratios = [f"{ratio:.2f}" for ratio in (row.ratio, row.ratio_to_bytes) if ratio is not None]
    return f"{', '.join(ratios)} ({short(row.rate)})" if ratios else short(row.rate)


def _detail(size: str, rows: Mapping[str, Row]) -> str:
    header = ["receiver", "a second", "spread", "p50 ms", "p99 ms", "CPU ms a push", "peak MiB", "errors"]
    lines = []
    for row in (rows[name] for name in _ordered(list(rows))):
        times = [short(value) for value in (row.p50_ms, row.p99_ms, row.cpu_ms)]
        label = SERVERS[row.server].label
        lines.append([label, short(row.rate), f"{row.spread:.0%}", *times, f"{row.peak_mib:,.0f}", row.errors or "-"])
    connections = f"{CONNECTIONS[size]} connection{'s' if CONNECTIONS[size] > 1 else ''}"
    return f"**{size}**, {connections}\n\n{table(header, lines)}"


def short(value: float) -> str:
    """Three digits are more than the spread allows."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_WIDTH, _LEFT, _RIGHT, _BAR, _STEP = 860, 330, 90, 14, 22
_STYLE = """
    text { font: 13px system-ui, sans-serif; fill: #1f2328 }
    .size { font-weight: 600 }
    .peer { fill: #8c959f }
    .ours { fill: #0969da }
    .base { stroke: #57606a; stroke-dasharray: 3 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .peer { fill: #6e7681 }
      .ours { fill: #4493f8 }
      .base { stroke: #9198a1 }
    }"""


def svg(rows: Rows) -> str:
    """A bar for each receiver and size: its rate as a multiple of naive Spyne's. Transparent, for light and dark."""
    body: list[str] = []
    y = 24
    for size, of_size in rows.items():
        names = [name for name in _ordered(list(of_size)) if of_size[name].ratio is not None]
        if not names:
            continue
        largest = max(max(of_size[name].ratio or 0 for name in names), 1.0)
        scale = (_WIDTH - _LEFT - _RIGHT) / largest
        body.append(f'  <text class="size" x="8" y="{y}">{size}, {CONNECTIONS[size]} connections</text>')
        top = y + 10
        for name in names:
            ratio = of_size[name].ratio or 0
            kind = "ours" if name.startswith("soapsvc") else "peer"
            label = escape(_plain(SERVERS[name].label))
            y += _STEP
            body += [
                f'  <text x="{_LEFT - 8}" y="{y}" text-anchor="end">{label}</text>',
                f'  <rect class="{kind}" x="{_LEFT}" y="{y - 12}" width="{max(1, ratio * scale):.1f}" '
                f'height="{_BAR}" rx="2"/>',
                f'  <text x="{_LEFT + ratio * scale + 6:.1f}" y="{y}">{ratio:.2f} ×</text>',
            ]
        body.append(f'  <path class="base" d="M{_LEFT + scale:.1f} {top}V{y + 6}"/>')
        y += 34
    title = "Pushes a second, as multiples of naive Spyne's"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y - 10}" role="img" aria-label="{title}">\n'
        f"  <title>{title}</title>\n  <style>{_STYLE}\n  </style>\n" + "\n".join(body) + "\n</svg>\n"
    )


def _plain(label: str) -> str:
    """Without markdown, and no longer than the room left of the bars."""
    return re.sub(r"\*\*|\(.*?\)|:.*", "", label).replace("  ", " ").strip()
