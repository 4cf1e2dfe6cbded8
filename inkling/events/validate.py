"""What is odd about a loaded folder: a report of checks, each with a number, an example and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from inkling.core.scenario import Scenario
from inkling.events.build import positive_mask
from inkling.events.folder import Folder

if TYPE_CHECKING:
    import polars as pl

YEAR_1980_MS = 315_532_800_000
Level = Literal["ok", "note", "warning"]


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One check: how many rows it concerns out of how many, an example, and what it means."""

    name: str
    level: Level
    n: int
    total: int
    message: str
    example: str = ""

    @property
    def share(self) -> float:
        """Return the share of rows that the check concerns."""
        return self.n / self.total if self.total else 0.0


class ValidationReport(msgspec.Struct, frozen=True, kw_only=True):
    """All checks of a folder, in a fixed order."""

    checks: tuple[Check, ...]

    @property
    def warnings(self) -> tuple[Check, ...]:
        """Return the checks that ask for something to be done."""
        return tuple(check for check in self.checks if check.level == "warning")

    def check(self, name: str) -> Check:
        """Return one check by name (KeyError when there is none)."""
        return {check.name: check for check in self.checks}[name]


def validate(folder: Folder, scenario: Scenario, *, now_ms: int) -> ValidationReport:
    """Check a loaded folder; nothing is changed.

    Args:
        folder: The folder as it was loaded.
        scenario: Which events count; ``apply_info`` has been called on it.
        now_ms: The present, in epoch milliseconds; what lies after it is a time in the future.
    """
    frame = folder.events.frame
    checks = [
        _rejects(folder),
        _count(frame["user_id"].is_null(), frame, "missing_user", "events without a person; cleaning leaves them out"),
        _count(frame["item_id"].is_null(), frame, "missing_item", "events without an item; cleaning leaves them out"),
        _positives(frame, scenario),
        _unknown_events(frame, scenario),
        *_times(folder, now_ms),
        _values(frame, scenario),
    ]
    if folder.items is not None:
        known = folder.items.frame["item_id"].implode()
        strange = frame["item_id"].is_not_null() & ~frame["item_id"].is_in(known).fill_null(value=False)
        checks.append(_count(strange, frame, "unknown_items", "events with items that have no catalogue row"))
    return ValidationReport(checks=tuple(checks))


def _count(mask: pl.Series, frame: pl.DataFrame, name: str, what: str, *, level: Level = "note") -> Check:
    n = int(mask.sum())
    row = mask.arg_max() if n else None
    shown = ("user_id", "item_id", "timestamp", "event", "value")
    example = "" if row is None else str(frame.select(shown).row(row, named=True))
    return Check(
        name=name, level=level if n else "ok", n=n, total=frame.height, message=f"{n:,} {what}", example=example
    )


def _rejects(folder: Folder) -> Check:
    rejects = folder.report.rejects
    total = sum(file.rows for file in folder.report.files) + len(rejects)
    example = f"{rejects[0].file}:{rejects[0].line}: {rejects[0].reason}" if rejects else ""
    level: Level = "warning" if rejects else "ok"
    message = f"{len(rejects):,} rows could not be read"
    return Check(name="rejects", level=level, n=len(rejects), total=total, message=message, example=example)


def _positives(frame: pl.DataFrame, scenario: Scenario) -> Check:
    n = int(positive_mask(frame, scenario).sum())
    wanted = ", ".join(scenario.positive)
    return Check(
        name="positive_events",
        level="ok" if n else "warning",
        n=n,
        total=frame.height,
        message=f"{n:,} positive events" + ("" if n else f"; the scenario counts {wanted}: state [positive]"),
    )


def _unknown_events(frame: pl.DataFrame, scenario: Scenario) -> Check:
    import polars as pl

    known = [*scenario.positive, *scenario.signals, *scenario.takes_back, "impression", "opt_out"]
    mask = frame.select(~pl.col("event").is_in(known))["event"]
    names = ", ".join(sorted(frame.filter(mask)["event"].unique().to_list())[:10])
    return _count(mask, frame, "unweighted_events", f"events that are history without a weight: {names or 'none'}")


def _times(folder: Folder, now_ms: int) -> list[Check]:
    frame = folder.events.frame
    if folder.info.time != "real":
        return []
    future, early = frame["timestamp"] > now_ms, frame["timestamp"] < YEAR_1980_MS
    return [
        _count(future, frame, "future_times", "events lie in the future; check the unit and zone", level="warning"),
        _count(early, frame, "early_times", "events lie before 1980; a time of 0 is a missing one", level="warning"),
    ]


def _values(frame: pl.DataFrame, scenario: Scenario) -> Check:
    import polars as pl

    not_above = frame.select(pl.col("event").is_in(list(scenario.positive)) & (pl.col("value") <= 0))["event"]
    return _count(not_above.fill_null(value=False), frame, "values", "positive events with a value of 0 or below")
