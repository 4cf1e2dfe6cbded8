"""What was measured of a bundle's choices, as a table on the screen and as a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import msgspec

from inkling.compression.search import AS_IS, Limits, Measured, frontier
from inkling.engine.twin import ANSWERS
from inkling.engine.weighing import PERSON, TEXT, VECTOR

if TYPE_CHECKING:
    from rich.console import Console

_MB = 1e6
HEADS = (
    "choice", "kept", "at least", "NDCG@10", f"{PERSON} p50", "p99", f"{TEXT} p50", "p99", "to vector p50", "p99",
    "MB on disk", "MB resident", "items/s",
)  # fmt: skip
_SHORT = ("kept", "NDCG@10", PERSON, TEXT, VECTOR, "MB disk/memory", "items/s")
_WIDTH, _HEIGHT, _MARGIN = 640, 340, 60
_AWAY = 8


class Outcome(msgspec.Struct, frozen=True):
    """What a walk found, and what was made of it; the JSON of ``inkling compress``."""

    bundle: str
    limits: Limits
    chosen: Measured | None
    nearest: Measured | None
    frontier: tuple[Measured, ...]
    measured: tuple[Measured, ...]
    passed_over: dict[str, str]
    """Choices that could not be made, each with its reason."""

    @classmethod
    def of(
        cls,
        bundle: str,
        limits: Limits,
        found: Sequence[Measured],
        ends: tuple[Measured | None, Measured | None],
        passed_over: Mapping[str, str],
    ) -> Outcome:
        """Return an outcome; ``ends`` are what was chosen, and the nearest where nothing was."""
        return cls(bundle, limits, *ends, frontier(found), tuple(found), dict(passed_over))

    def to_json(self) -> bytes:
        """Return indented JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def marked(self, one: Measured) -> bool:
        """Tell whether this is what was chosen."""
        return self.chosen is not None and one.name == self.chosen.name


def cells(one: Measured) -> list[str]:
    """Return a choice as the cells of a row under ``HEADS``."""
    times = [_ms(one.latency.get(kind), at) for kind in (PERSON, TEXT, VECTOR) for at in (0, 1)]
    return [
        one.name,
        f"{100 * one.kept:.1f}%",
        f"{100 * one.kept_low:.1f}%",
        f"{one.qualities.get(ANSWERS, math.nan):.4f}",
        *times,
        f"{one.size_bytes / _MB:,.1f}",
        f"{one.memory_bytes / _MB:,.0f}",
        f"{one.items_per_s:,.0f}",
    ]


def _short(one: Measured) -> list[str]:
    """Return a choice as the cells of a row on the screen: p50 and p99 in milliseconds share a cell."""
    name, kept, low, ndcg, *times, disk, memory, items = cells(one)
    pairs = [" / ".join(pair) if pair[0] else "" for pair in zip(times[::2], times[1::2], strict=True)]
    return [name, f"{kept} ({low})", ndcg, *pairs, f"{disk} / {memory}", items]


def _ms(times: tuple[float, float] | None, at: int) -> str:
    return "" if times is None else f"{times[at]:.2f}"


def show(console: Console, outcome: Outcome) -> None:
    """Show the frontier, and the bundle as it is."""
    from rich.table import Table

    table = Table(title="The frontier: nothing measured is better in quality, milliseconds and size at once")
    table.title_justify = "left"
    table.add_column("choice", overflow="fold")
    for head in _SHORT:
        table.add_column(head, justify="right", no_wrap=True)
    rows = list(outcome.frontier)
    rows += [one for one in outcome.measured if one.name == AS_IS and one not in rows]
    for one in rows:
        table.add_row(*_short(one), style="bold green" if outcome.marked(one) else None)
    console.print(table)
    said = (
        f"{len(outcome.measured)} choices measured; milliseconds at p50 / p99. "
        "Quality is that of the newest window, by a twin that never saw it; in brackets what is kept at least (95%)."
    )
    console.print(said, markup=False, soft_wrap=True)
    for name, reason in outcome.passed_over.items():
        console.print(f"Passed over: {name}: {reason}", style="yellow", markup=False, soft_wrap=True)


def render(outcome: Outcome) -> str:
    """Return a page that needs nothing else: the plot, the frontier, everything measured."""
    from inkling.evaluation.report import figure, page, section

    limits = outcome.limits
    asked = f"At most {limits.budget_ms:g} ms at the 99th percentile, at least {100 * limits.keep:g}% of the quality."
    said = (
        f"Chosen: {outcome.chosen.name}."
        if outcome.chosen
        else f"Nothing meets both limits; the nearest is: {outcome.nearest.name if outcome.nearest else 'nothing'}."
    )
    note = "Line: the frontier of quality and milliseconds. Shaded: what meets both limits."
    reasons = "".join(f"<p>{escape(name)}: {escape(why)}</p>" for name, why in outcome.passed_over.items())
    body = (
        f"<h1>Smaller forms of {escape(outcome.bundle)}</h1><p>{escape(asked)} {escape(said)}</p>",
        section("Quality and its price", figure(plot(outcome), note)),
        section("The frontier", _table(outcome, outcome.frontier)),
        section("Everything measured", _table(outcome, outcome.measured)),
        section("Passed over", reasons),
    )
    return page(f"Smaller forms of {outcome.bundle}", "".join(body))


def _table(outcome: Outcome, rows: Sequence[Measured]) -> str:
    from inkling.evaluation.report import table

    return table(HEADS, [[(cell, outcome.marked(one)) for cell in cells(one)] for one in rows])


def plot(outcome: Outcome) -> str:
    """Return milliseconds (log) against the share of quality that is kept, the frontier as a line."""
    from inkling.evaluation.charts import svg

    every = outcome.measured
    if not every:
        return ""
    limits = outcome.limits
    place = _Place(every, limits)
    x, y = place.at(limits.budget_ms, limits.keep)
    top = _MARGIN / 2
    size = f'width="{max(x - _MARGIN, 0):.1f}" height="{max(y - top, 0):.1f}"'
    room = f'<rect x="{_MARGIN}" y="{top:.0f}" {size} style="fill:var(--own);opacity:.12"/>'
    axis = f'<path d="M{_MARGIN} {_MARGIN / 2:.0f}V{_HEIGHT - _MARGIN}H{_WIDTH - _MARGIN}" class="axis"/>'
    line = _line([place.at(one.ms, one.kept) for one in _steps(every)])
    dots = "".join(_dot(one, place, outcome) for one in every)
    return svg(_WIDTH, _HEIGHT, "quality kept and milliseconds", room + axis + place.ticks() + line + dots)


def _steps(every: Sequence[Measured]) -> list[Measured]:
    """Return the frontier of milliseconds and quality alone, the fastest first."""
    found: list[Measured] = []
    for one in sorted(every, key=lambda one: (one.ms, -one.kept)):
        if not found or one.kept > found[-1].kept:
            found.append(one)
    return found


def _line(points: Sequence[tuple[float, float]]) -> str:
    path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return f'<path d="M{path}" class="axis" style="stroke:var(--own)"/>'


def _dot(one: Measured, place: _Place, outcome: Outcome) -> str:
    x, y = place.at(one.ms, one.kept)
    named = outcome.marked(one) or one.name == AS_IS
    kind = "dot own" if one in outcome.frontier else "dot"
    label = f'<text x="{x + _AWAY:.1f}" y="{y - _AWAY:.1f}" class="start">{escape(one.name)}</text>' if named else ""
    told = f"{escape(one.name)}: {one.ms:.2f} ms, {100 * one.kept:.1f}%"
    at = f'cx="{x:.1f}" cy="{y:.1f}" r="{6 if named else 4}"'
    return f'<circle {at} class="{kind}"><title>{told}</title></circle>{label}'


class _Place:
    """Where milliseconds and shares lie in the drawing."""

    def __init__(self, every: Sequence[Measured], limits: Limits) -> None:
        times = [max(value, 1e-3) for value in (*(one.ms for one in every), limits.budget_ms)]
        shares = [one.kept for one in every] + [limits.keep, 1.0]
        self._left, self._right = math.log10(min(times)) - 0.05, math.log10(max(times)) + 0.1
        room = max(max(shares) - min(shares), 0.01) * 0.1
        self._low, self._high = min(shares) - room, max(shares) + room

    def at(self, ms: float, kept: float) -> tuple[float, float]:
        """Return where a point lies."""
        across = (math.log10(max(ms, 1e-3)) - self._left) / (self._right - self._left)
        up = (kept - self._low) / (self._high - self._low)
        return _MARGIN + across * (_WIDTH - 2 * _MARGIN), _HEIGHT - _MARGIN - up * (_HEIGHT - 1.5 * _MARGIN)

    def ticks(self) -> str:
        """Return numbers along both axes."""
        out = []
        for step in range(5):
            ms = 10 ** (self._left + step / 4 * (self._right - self._left))
            kept = self._low + step / 4 * (self._high - self._low)
            x, y = self.at(ms, kept)
            out.append(f'<text x="{x:.1f}" y="{_HEIGHT - _MARGIN + 18}" class="middle">{ms:.3g}</text>')
            out.append(f'<text x="{_MARGIN - 6}" y="{y + 4:.1f}" class="label">{100 * kept:.1f}%</text>')
        out.append(f'<text x="{_WIDTH / 2:.0f}" y="{_HEIGHT - 14}" class="middle">milliseconds (p99, log)</text>')
        return "".join(out)
