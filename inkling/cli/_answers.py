"""Answers on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from inkling.cli import _screen

if TYPE_CHECKING:
    from inkling.core.recommendation import Reason, Recommendation
    from inkling.engine.engine import LocalEngine


def write(answer: Any) -> None:
    """Write an answer as JSON."""
    _screen.write_json(msgspec.json.format(msgspec.json.encode(answer), indent=2))


def show(engine: LocalEngine, answer: Recommendation, *, explain: bool = False) -> None:
    """Show an answer as a table, and what it took."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for name, justify in (("#", "right"), ("item", "left"), ("title", "left"), ("score", "right"), ("why", "left")):
        table.add_column(name, justify="right" if justify == "right" else "left")
    if explain:
        table.add_column("contributions")
    for rank, item in enumerate(answer.items, start=1):
        cells = [
            str(rank),
            item.item_id,
            title_of(engine, item.item_id),
            f"{item.score:.4f}",
            _why(item.reason) or item.source,
        ]
        if explain:
            cells.append(_parts(item.reason))
        table.add_row(*(Text(cell) for cell in cells))
    _screen.out().print(table)
    for what, parts in (("Understood", answer.understood), ("Left out", answer.left_out)):
        if parts:
            _screen.note(f"{what}: {'; '.join(parts)}")
    took = ", ".join(f"{stage} {ms:.2f}" for stage, ms in answer.timings_ms.items())
    _screen.note(f"{sum(answer.timings_ms.values()):.2f} ms ({took})")


def title_of(engine: LocalEngine, item_id: str) -> str:
    """Return an item's title, or an empty string."""
    return str(engine.get_item(item_id).get("title") or "")


def _why(reason: Reason | None) -> str:
    return reason.text if reason else ""


def _parts(reason: Reason | None) -> str:
    parts = reason.contributions if reason else {}
    return " ".join(f"{name} {share:+.2f}" for name, share in list(parts.items())[:4])
