"""What a search says: every trial, the best settings, and how to use them."""

from __future__ import annotations

import json
import math
from typing import Any, Literal

import msgspec

State = Literal["finished", "pruned", "failed", "unfinished"]


class TrialReport(msgspec.Struct, frozen=True):
    """One trial: settings that were tried, and what they were worth on validation."""

    number: int
    state: State
    """finished; pruned where it was behind; failed with a reason; unfinished where time or the process ended."""
    value: float | None
    """The metric over all validation people; what there was of it where the trial was pruned."""
    settings: dict[str, Any]
    """What differs from the model's own settings."""
    seconds: float = 0.0
    curve: dict[int, float] = {}
    """Step -> value on the way; steps from 1,000,000 on are validation folds, earlier ones the training's own."""
    reason: str = ""
    """Why it failed."""
    given: bool = False
    """Whether the settings are the model's own or of its grid, instead of searched ones."""
    retry_of: int | None = None
    """The unfinished trial that this one does again."""


class ModelTune(msgspec.Struct, frozen=True):
    """What the search found for one model."""

    name: str
    kind: Literal["retriever", "pipeline"]
    trials: tuple[TrialReport, ...]
    space: dict[str, Any] = {}
    """Setting -> where it was looked for."""
    importances: dict[str, float] = {}
    """Setting -> share of what single settings explain of the values; empty before there are enough trials."""
    note: str = ""

    @property
    def finished(self) -> tuple[TrialReport, ...]:
        """Return the trials with a value over all validation people."""
        return tuple(trial for trial in self.trials if trial.state == "finished" and trial.value is not None)

    @property
    def best(self) -> TrialReport | None:
        """Return the best finished trial, the first of equals."""
        return max(self.finished, key=lambda trial: (_number(trial.value), -trial.number), default=None)

    @property
    def own(self) -> TrialReport | None:
        """Return the trial with the model's own settings."""
        return next((trial for trial in self.finished if trial.given), None)

    @property
    def seconds(self) -> float:
        """Return what all trials took."""
        return sum(trial.seconds for trial in self.trials)

    def count(self, state: State) -> int:
        """Return how many trials ended so."""
        return sum(trial.state == state for trial in self.trials)


class TuneReport(msgspec.Struct, frozen=True):
    """The JSON of ``inkling tune``."""

    metric: str
    protocol: dict[str, Any]
    """The measurement, and the fingerprints of the validation parts."""
    models: tuple[ModelTune, ...]

    def to_json(self) -> bytes:
        """Return indented JSON; what is not a number is null."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def model(self, name: str) -> ModelTune:
        """Return one model's part (KeyError where it was not searched)."""
        return {model.name: model for model in self.models}[name]

    def best_settings(self) -> dict[str, dict[str, Any]]:
        """Return model -> the settings of its best trial; models without a finished trial are left out."""
        return {model.name: dict(model.best.settings) for model in self.models if model.best is not None}


def settings_toml(report: TuneReport) -> str:
    """Return the best settings as TOML: a table ``[models.NAME]`` for each model, as ``--settings`` reads it."""
    lines = [f"# Best on validation by {report.metric}, found by `inkling tune`."]
    for name, settings in report.best_settings().items():
        lines += ["", f"[models.{_key(name)}]", *(f"{_key(key)} = {_toml(value)}" for key, value in settings.items())]
    return "\n".join(lines) + "\n"


def set_words(model: ModelTune) -> list[str]:
    """Return the best settings as ``--set key=value`` of ``fit``: those of a retriever as a member of the pipeline."""
    if model.best is None:
        return []
    start = "" if model.kind == "pipeline" else f"members.{model.name}.settings."
    return [f"--set {start}{key}={_word(value)}" for key, value in model.best.settings.items()]


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"'{text}'" if any(sign in text for sign in ' []{}"') else text


def _key(text: str) -> str:
    return text if text.replace("_", "").replace("-", "").isalnum() else json.dumps(text)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _number(value: float | None) -> float:
    return -math.inf if value is None or math.isnan(value) else value
