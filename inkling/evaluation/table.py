"""An evaluation as a table for the terminal: best first, with its price, and how sure the gap to ``default`` is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from inkling.evaluation.output import EvaluationReport, MetricValue, ModelReport

if TYPE_CHECKING:
    from rich.table import Table


def render_table(report: EvaluationReport, *, metrics: tuple[str, ...] = ()) -> Table:
    """Return a rich table; the best value of each metric is bold.

    Args:
        report: What was measured.
        metrics: Columns, the first of which sorts; the default is the first four.
    """
    from rich.table import Table

    shown = metrics or tuple(report.models[0].metrics)[:4]
    ordered = sorted(report.models, key=lambda model: -_number(model.metrics[shown[0]].value))
    reference = next((model.paired.reference for model in ordered if model.paired), "")
    table = Table(title=title(report), caption=caption(report), caption_justify="left")
    table.add_column("model", no_wrap=True)
    for name in shown:
        table.add_column(name, justify="right", no_wrap=True)
    if reference:
        table.add_column(f"{reference} is better by", justify="right")
    for name in ("p50 ms", "p99 ms", "fit s", "peak MB"):
        table.add_column(name, justify="right", no_wrap=True)
    best = {name: max(_number(model.metrics[name].value) for model in ordered) for name in shown}
    for model in ordered:
        cells = [_cell(model.metrics[name], best=best[name]) for name in shown]
        gap = [_gap(model)] if reference else []
        table.add_row(model.name, *cells, *gap, *price(model))
    return table


def title(report: EvaluationReport) -> str:
    """Return what was measured, in a line."""
    protocol, group = report.protocol, main_group(report)
    n = report.models[0].groups[group].n
    cuts = f" at {', '.join(str(cut) for cut in protocol['cuts'])}" if "cuts" in protocol else ""
    return f"split {protocol['split']}{cuts}, seen {protocol['seen']}: {group}, n = {n:,}"


def caption(report: EvaluationReport) -> str:
    """Return what a reader of the numbers must know besides."""
    parts = report.protocol["parts"]
    missed = sum(part["unreachable_targets"] for part in parts)
    left = sum(part["left_out"] for part in parts)
    return (
        f"Ranges: 95% bootstrap over people. Misses by definition: {missed:,} targets outside the candidates; "
        f"{left:,} people left without a target. Fingerprint {report.protocol['fingerprint'][:12]}."
    )


def main_group(report: EvaluationReport) -> str:
    """Return the group that the models' headline metrics are about."""
    groups = report.models[0].groups
    return "warm" if "warm" in groups else next(iter(groups))


def price(model: ModelReport) -> tuple[str, str, str, str]:
    """Return milliseconds (p50, p99), seconds to fit and memory as text."""
    speed = model.latency_ms
    return f"{speed.p50:.2f}", f"{speed.p99:.2f}", f"{model.fit_s:.1f}", f"{model.peak_mb:,.0f}"


def _cell(value: MetricValue, *, best: float) -> str:
    text = f"{value.value:.4f}"
    if value.seed_sd is not None:
        text += f" ±{value.seed_sd:.4f}"
    return f"[bold green]{text}[/]" if value.value == best else text


def _gap(model: ModelReport) -> str:
    if model.paired is None:
        return ""
    gap = model.paired
    times = f"{(gap.ratio - 1) * 100:+.1f}% " if math.isfinite(gap.ratio) else ""
    return f"{times}[{gap.low:+.4f}, {gap.high:+.4f}]".replace("[", r"\[", 1)


def _number(value: float) -> float:
    return -math.inf if math.isnan(value) else value
