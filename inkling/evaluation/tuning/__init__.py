"""Search for settings by validation alone: the test part is split off first and never looked at."""

from __future__ import annotations

from inkling.evaluation.tuning.output import ModelTune, TrialReport, TuneReport
from inkling.evaluation.tuning.page import render_tune
from inkling.evaluation.tuning.tune import Search, tune_folder

__all__ = ["ModelTune", "Search", "TrialReport", "TuneReport", "render_tune", "tune_folder"]
