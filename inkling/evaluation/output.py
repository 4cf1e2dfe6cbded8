"""What an evaluation says, as plain structs: PROTOCOL's JSON, and nothing that cannot be computed again from a dump."""

from __future__ import annotations

from typing import Any

import msgspec


class MetricValue(msgspec.Struct, frozen=True):
    """A mean over people with the 95% interval of the bootstrap, and the spread over seeds."""

    value: float
    low: float
    high: float
    seed_sd: float | None = None
    """Standard deviation of the mean over seeds; null with one seed."""


class GroupReport(msgspec.Struct, frozen=True):
    """What a group of people got."""

    n: int
    """People in the group (under replay: questions, several of a person)."""
    metrics: dict[str, MetricValue]


class LatencyReport(msgspec.Struct, frozen=True):
    """Milliseconds for an answer to one person, in process."""

    p50: float
    p99: float


class Paired(msgspec.Struct, frozen=True):
    """The reference model against this one, person by person, on the warm people."""

    reference: str
    metric: str
    difference: float
    """The reference's mean less this model's."""
    low: float
    high: float
    ratio: float
    """The reference's mean over this model's."""
    ratio_low: float
    ratio_high: float
    p: float
    """Share of the bootstrap's draws in which the reference is not better."""


class ModelReport(msgspec.Struct, frozen=True):
    """One model: quality, and its price."""

    name: str
    seeds: tuple[int, ...]
    groups: dict[str, GroupReport]
    metrics: dict[str, MetricValue]
    """Those of the main group: warm, or the first there is."""
    latency_ms: LatencyReport
    fit_s: float
    """Seconds to fit with the chosen settings, all folds together, mean over seeds."""
    predict_s: float
    """Seconds to answer everyone, all folds together, mean over seeds."""
    peak_mb: float
    """High-water mark of the whole process's resident memory while this model was chosen, fitted and asked."""
    tune_s: float = 0.0
    """Seconds to choose the settings on validation."""
    settings: dict[str, dict[str, Any]] = {}
    """Fold -> the settings chosen for it."""
    paired: Paired | None = None


class EvaluationReport(msgspec.Struct, frozen=True):
    """The JSON of ``inkling evaluate``."""

    protocol: dict[str, Any]
    models: tuple[ModelReport, ...]

    def to_json(self) -> bytes:
        """Return indented JSON; what is not a number is null."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

    def model(self, name: str) -> ModelReport:
        """Return one model's part (KeyError where it was not measured)."""
        return {model.name: model for model in self.models}[name]
