"""Replay an engine over a log, compare, report."""

from __future__ import annotations

# Imported here and now: a function named like its file would otherwise be hidden by the file.
from inkling.evaluation.contenders import Baseline, Contender, Fitted, PipelineContender, Ready
from inkling.evaluation.dump import dump
from inkling.evaluation.evaluate import Evaluation, evaluate
from inkling.evaluation.folder import evaluate_folder, prepare
from inkling.evaluation.output import EvaluationReport
from inkling.evaluation.report import render_html
from inkling.evaluation.table import render_table

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
