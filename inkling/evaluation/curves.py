"""Plots of a search as inline SVG: the best so far by trial, and values by one setting."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from inkling.evaluation.charts import svg

_CURVE = (560, 240, 48)
_CLOUD = (270, 200, 40)


@dataclass(frozen=True, slots=True)
class Point:
    """One trial: where it stands along the x axis (a number, or a word), and its value."""

    x: float | str
    y: float
    label: str
    best: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    """A plane: its size, and the ranges of both axes."""

    size: tuple[int, int, int]
    xs: tuple[float, float]
    ys: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[float, float]:
        width, height, margin = self.size
        across, up = _share(x, self.xs), _share(y, self.ys)
        return margin + across * (width - 1.5 * margin), height - margin - up * (height - 1.5 * margin)

    def axes(self, x_names: Sequence[tuple[float, str]], title: str) -> str:
        width, height, margin = self.size
        ticks = "".join(
            f'<text x="{self.place(x, 0)[0]:.1f}" y="{height - margin + 16}" class="middle">{escape(name)}</text>'
            for x, name in x_names
        )
        values = "".join(
            f'<text x="{margin - 4}" y="{self.place(self.xs[0], y)[1] + 4:.1f}" class="label">{y:.3f}</text>'
            for y in dict.fromkeys(self.ys)
        )
        frame = f'<path d="M{margin} {margin / 2:.0f}V{height - margin}H{width - margin / 2:.0f}" class="axis"/>'
        name = f'<text x="{width / 2:.0f}" y="{height - 6}" class="middle">{escape(title)}</text>'
        return frame + ticks + values + name


def best_so_far(points: Sequence[Point], *, title: str) -> str:
    """Return every trial as a dot, and a line along the best value up to each; x is the trial's number."""
    known = sorted((point for point in points if math.isfinite(point.y)), key=lambda point: float(point.x))
    if not known:
        return ""
    numbers = [float(point.x) for point in known]
    frame = _Frame(_CURVE, (min(numbers), max(numbers)), _range([point.y for point in known]))
    best, path = -math.inf, ""
    for number, point in zip(numbers, known, strict=True):
        best = max(best, point.y)
        x, y = frame.place(number, best)
        path += f"M{x:.1f} {y:.1f}" if not path else f"H{x:.1f}V{y:.1f}"
    line = f'<path d="{path}" fill="none" stroke="var(--own)" stroke-width="2"/>'
    ends = [(number, f"{number:g}") for number in dict.fromkeys((min(numbers), max(numbers)))]
    return svg(*_CURVE[:2], title, frame.axes(ends, "trial") + line + _dots(frame, known, numbers))


def cloud(points: Sequence[Point], *, title: str, log: bool = False) -> str:
    """Return values by one setting: a number, by its magnitude where ``log`` says so, or one of several words."""
    known = [point for point in points if math.isfinite(point.y)]
    if not known:
        return ""
    if any(isinstance(point.x, str) for point in known):
        words = sorted({str(point.x) for point in known})
        xs = [float(words.index(str(point.x))) for point in known]
        names = [(float(place), word) for place, word in enumerate(words)]
        ranged = (-0.5, len(words) - 0.5)
    else:
        scaled = log and all(float(point.x) > 0 for point in known)
        xs = [math.log10(float(point.x)) if scaled else float(point.x) for point in known]
        ends = dict.fromkeys((min(xs), max(xs)))
        names = [(end, f"{10**end if scaled else end:.3g}") for end in ends]
        ranged = (min(xs), max(xs))
    frame = _Frame(_CLOUD, ranged, _range([point.y for point in known]))
    return svg(*_CLOUD[:2], title, frame.axes(names, title) + _dots(frame, known, xs))


def _dots(frame: _Frame, points: Sequence[Point], xs: Sequence[float]) -> str:
    drawn = []
    for x, point in zip(xs, points, strict=True):
        across, down = frame.place(x, point.y)
        kind = "dot own" if point.best else "dot"
        drawn.append(
            f'<circle cx="{across:.1f}" cy="{down:.1f}" r="4" class="{kind}">'
            f"<title>{escape(point.label)}</title></circle>"
        )
    return "".join(drawn)


def _range(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)


def _share(value: float, ends: tuple[float, float]) -> float:
    low, high = ends
    return (value - low) / (high - low) if high > low else 0.5
