"""Small charts as SVG, drawn here: shapes alone, coloured by the style sheet, with the figures beside them as text."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, HEIGHT = 720, 120  # user units; the page scales them


def columns(values: Sequence[tuple[str, Sequence[float]]], label: str, classes: Sequence[str]) -> Markup:
    """Stacked columns: for each its title (told by the browser when it is pointed at) and the parts from below.

    label    what the chart shows, for who does not see it
    classes  of the parts, in their order
    """
    most = max((sum(parts) for _, parts in values), default=0) or 1
    step = WIDTH / max(len(values), 1)
    width = max(step - max(step * 0.15, 0.5), 0.5)
    shapes = []
    for i, (title, parts) in enumerate(values):
        base = float(HEIGHT)
        bars = []
        for part, class_ in zip(parts, classes, strict=True):
            height = part / most * (HEIGHT - 4)
            if part:
                height = max(height, 1.5)
                base -= height
                bars.append(
                    f'<rect class="{escape(class_)}" x="{i * step:.1f}" y="{base:.1f}" width="{width:.1f}" '
                    f'height="{height:.1f}"/>'
                )
        shapes.append(
            f'<g><title>{escape(title)}</title><rect class="ground" x="{i * step:.1f}" y="0" width="{step:.1f}" '
            f'height="{HEIGHT}"/>{"".join(bars)}</g>'
        )
    return _svg("".join(shapes), label)


def lines(series: Sequence[tuple[str, Sequence[float | None]]], label: str) -> Markup:
    """Steps over the same places; None: nothing is known there. Each (class, values)."""
    known = [value for _, values in series for value in values if value is not None]
    most = max(known, default=0.0) or 1.0
    shapes = []
    for class_, values in series:
        step = WIDTH / max(len(values), 1)
        points: list[str] = []
        for i, value in enumerate([*values, None]):
            if value is not None:
                y = HEIGHT - 2 - value / most * (HEIGHT - 6)
                points += [f"{i * step:.1f},{y:.1f}", f"{(i + 1) * step:.1f},{y:.1f}"]
            elif points:
                shapes.append(f'<polyline class="{escape(class_)}" points="{" ".join(points)}"/>')
                points = []
    return _svg("".join(shapes), label)


def bar(parts: Sequence[tuple[str, float, str]], label: str) -> Markup:
    """One bar in parts: each (title, value, class)."""
    whole = sum(value for _, value, _ in parts) or 1
    shapes, x = [], 0.0
    for title, value, class_ in parts:
        width = value / whole * WIDTH
        shapes.append(
            f'<rect class="{escape(class_)}" x="{x:.1f}" y="0" width="{max(width - 1.5, 0.5):.1f}" height="16">'
            f"<title>{escape(title)}</title></rect>"
        )
        x += width
    return _svg("".join(shapes), label, 16)


def _svg(shapes: str, label: str, height: int = HEIGHT) -> Markup:
    # S704: the shapes are made of numbers, and of texts that were escaped
    return Markup(  # noqa: S704
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(label)}">{shapes}</svg>'
    )
