"""A search as one HTML file that needs nothing else: what was found, how, and every trial."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from inkling.evaluation.charts import Bar, bars
from inkling.evaluation.curves import Point, best_so_far, cloud
from inkling.evaluation.report import figure, page, section, table
from inkling.evaluation.tuning.output import ModelTune, TrialReport, TuneReport, set_words, settings_toml


def render_tune(report: TuneReport, *, name: str = "Search for settings") -> str:
    """Return a page; ``name`` is its heading."""
    said = (
        f"By {report.metric} on validation alone; the test part was not looked at. The best of many trials is a little "
        "lucky: what it is worth, `inkling evaluate --settings` tells."
    )
    parts = [f"<h1>{escape(name)}</h1><p>{escape(said)}</p>", section("Found", _found(report))]
    parts += [_model(model, report.metric) for model in report.models]
    parts += [
        section("As --settings reads it", f"<pre>{escape(settings_toml(report))}</pre>"),
        section("Measurement", f"<pre>{escape(json.dumps(report.protocol, indent=2, ensure_ascii=False))}</pre>"),
    ]
    return page(name, "".join(parts))


def _found(report: TuneReport) -> str:
    top = max((model.best.value or 0.0 for model in report.models if model.best), default=None)
    rows = [
        [
            (model.name, False),
            (number(model.best), model.best is not None and model.best.value == top),
            *((text, False) for text in (number(model.own), *counts(model), f"{model.seconds:,.0f}", model.note)),
        ]
        for model in report.models
    ]
    heads = ["model", f"best {report.metric}", "own settings", "finished", "pruned", "failed", "seconds", "note"]
    return table(heads, rows)


def number(trial: TrialReport | None) -> str:
    """Return a trial's value as text."""
    return "-" if trial is None or trial.value is None else f"{trial.value:.4f}"


def counts(model: ModelTune) -> tuple[str, str, str]:
    """Return how many trials finished, were pruned and failed."""
    return tuple(str(model.count(state)) for state in ("finished", "pruned", "failed"))  # type: ignore[return-value]


def _model(model: ModelTune, metric: str) -> str:
    drawn = best_so_far([_point(t, t.number, model) for t in model.finished], title=f"{model.name}: best so far")
    words = " ".join(set_words(model))
    content = figure(drawn, f"{metric} by trial; the line is the best so far")
    content += f"<pre>{escape(words)}</pre>" if words else ""
    content += _importances(model) + _clouds(model) + _trials(model)
    return section(model.name, content)


def _point(trial: TrialReport, x: Any, model: ModelTune) -> Point:
    place = float(x) if isinstance(x, (int, float)) and not isinstance(x, bool) else str(x)
    label = f"trial {trial.number}: {trial.value:.4f} {json.dumps(trial.settings, ensure_ascii=False)}"
    return Point(place, trial.value or 0.0, label, best=model.best is not None and trial.number == model.best.number)


def _importances(model: ModelTune) -> str:
    rows = [
        Bar(key, share, share, share) for key, share in sorted(model.importances.items(), key=lambda pair: -pair[1])
    ]
    return (
        figure(bars(rows, title="importance"), "Share of each setting in what single settings explain of the values")
        if rows
        else ""
    )


def _clouds(model: ModelTune) -> str:
    drawn = []
    for key, where in model.space.items():
        points = [_point(trial, trial.settings[key], model) for trial in model.finished if key in trial.settings]
        drawn.append(cloud(points, title=key, log=_by_magnitude(where)))
    inside = "".join(f'<div style="flex:1 1 16rem">{one}</div>' for one in drawn if one)
    return f'<figure style="display:flex;flex-wrap:wrap">{inside}</figure>' if inside else ""


def _by_magnitude(where: Mapping[str, Any]) -> bool:
    return bool(where.get("log"))


def _trials(model: ModelTune) -> str:
    best = model.best.number if model.best else -1
    rows = [
        [
            (str(trial.number), False),
            (trial.state, False),
            (number(trial), trial.number == best),
            (f"{trial.seconds:.1f}", False),
            (json.dumps(trial.settings, ensure_ascii=False), False),
            (trial.reason or (f"again: {trial.retry_of}" if trial.retry_of is not None else ""), False),
        ]
        for trial in model.trials
    ]
    return table(["trial", "state", "value", "seconds", "settings", "note"], rows)
