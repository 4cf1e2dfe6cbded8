"""Replay an engine over a log, compare, report."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from inkling.evaluation.contenders import Baseline, Contender, Fitted, PipelineContender, Ready
    from inkling.evaluation.dump import dump
    from inkling.evaluation.evaluate import Evaluation, evaluate
    from inkling.evaluation.folder import evaluate_folder, prepare
    from inkling.evaluation.output import EvaluationReport
    from inkling.evaluation.report import render_html
    from inkling.evaluation.table import render_table

_HOMES = {
    "Baseline": "contenders",
    "Contender": "contenders",
    "Evaluation": "evaluate",
    "EvaluationReport": "output",
    "Fitted": "contenders",
    "PipelineContender": "contenders",
    "Ready": "contenders",
    "dump": "dump",
    "evaluate": "evaluate",
    "evaluate_folder": "folder",
    "prepare": "folder",
    "render_html": "report",
    "render_table": "table",
}
__all__ = [
    "Baseline",
    "Contender",
    "Evaluation",
    "EvaluationReport",
    "Fitted",
    "PipelineContender",
    "Ready",
    "dump",
    "evaluate",
    "evaluate_folder",
    "prepare",
    "render_html",
    "render_table",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
