"""Plots as inline SVG: plain functions from numbers to text, coloured by the page's own variables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

_ROW = 26
_LABEL = 150
_PLOT = 420
_VALUE = 90
_SCATTER = (560, 300, 56)


@dataclass(frozen=True, slots=True)
class Bar:
    """One value with its interval; ``own`` marks the model that the page is about."""

    label: str
    value: float
    low: float
    high: float
    own: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """One model in the plane of price (milliseconds) and quality."""

    label: str
    x: float
    y: float
    own: bool = False


def bars(rows: Sequence[Bar], *, title: str) -> str:
    """Return horizontal bars with whiskers from ``low`` to ``high``."""
    top = max((value for row in rows for value in (row.value, row.high) if math.isfinite(value)), default=0.0) or 1.0
    height = _ROW * len(rows) + 8
    body = "".join(_bar(row, index, top) for index, row in enumerate(rows))
    return svg(_LABEL + _PLOT + _VALUE, height, title, body)


def _bar(row: Bar, index: int, top: float) -> str:
    y = index * _ROW + 4
    middle = y + _ROW / 2 - 3
    value, low, high = (_LABEL + _PLOT * max(_finite(v), 0.0) / top for v in (row.value, row.low, row.high))
    kind = "bar own" if row.own else "bar"
    number = f"{row.value:.4f}" if math.isfinite(row.value) else "no one"
    return (
        f'<text x="{_LABEL - 8}" y="{middle + 4:.1f}" class="label">{escape(row.label)}</text>'
        f'<rect x="{_LABEL}" y="{y}" width="{max(value - _LABEL, 0):.1f}" height="{_ROW - 8}" class="{kind}"/>'
        f'<path d="M{low:.1f} {middle:.1f}H{high:.1f}M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8" '
        f'class="whisker"/><text x="{_LABEL + _PLOT + 8}" y="{middle + 4:.1f}" class="number">{number}</text>'
    )


def scatter(dots: Sequence[Dot], *, title: str, x_name: str, y_name: str) -> str:
    """Return dots over a logarithmic x axis: right is slow, up is good."""
    known = [dot for dot in dots if math.isfinite(dot.x) and math.isfinite(dot.y) and dot.x > 0]
    if not known:
        return ""
    width, height, margin = _SCATTER
    low = math.floor(math.log10(min(dot.x for dot in known)))
    high = max(math.ceil(math.log10(max(dot.x for dot in known))), low + 1)
    top = max(dot.y for dot in known) * 1.1 or 1.0

    def place(dot: Dot) -> tuple[float, float]:
        across = (math.log10(dot.x) - low) / (high - low)
        return margin + across * (width - 2 * margin), height - margin - dot.y / top * (height - 1.5 * margin)

    ticks = "".join(_tick(10.0**p, (p - low) / (high - low)) for p in range(low, high + 1))
    frame = f'<path d="M{margin} {margin / 2:.0f}V{height - margin}H{width - margin}" class="axis"/>'
    # Labels of neighbours stand above and below in turn, so that they do not cover each other.
    in_order = sorted(known, key=lambda dot: dot.x)
    dots_drawn = "".join(_dot(dot, *place(dot), shift=(-8, 18)[i % 2]) for i, dot in enumerate(in_order))
    names = (
        f'<text x="{width / 2:.0f}" y="{height - 12}" class="middle">{escape(x_name)}</text>'
        f'<text x="{margin}" y="{margin / 2 - 8:.0f}" class="start">{escape(y_name)}, up to {top:.3f}</text>'
    )
    return svg(width, height, title, frame + ticks + names + dots_drawn)


def _tick(value: float, across: float) -> str:
    width, height, margin = _SCATTER
    x = margin + across * (width - 2 * margin)
    return f'<text x="{x:.1f}" y="{height - margin + 18}" class="middle">{value:g}</text>'


def _dot(dot: Dot, x: float, y: float, *, shift: int) -> str:
    kind = "dot own" if dot.own else "dot"
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" class="{kind}"><title>{escape(dot.label)}: {dot.x:.2f}, {dot.y:.4f}'
        f'</title></circle><text x="{x + 8:.1f}" y="{y + shift:.1f}" class="start">{escape(dot.label)}</text>'
    )


def svg(width: int, height: int, title: str, body: str) -> str:
    """Return a drawing of that size with a title for readers of screens."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title, quote=True)}" '
        f'xmlns="http://www.w3.org/2000/svg"><title>{escape(title)}</title>{body}</svg>'
    )


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
