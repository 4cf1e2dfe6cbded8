"""Cleaning in two stages, each rule named, counted and switchable (``Scenario.cleaning``).

``clean_rows`` runs the rules that see one row; it may run on all data at once. ``clean_part`` runs the rules that look
at other rows; it runs inside each part of a split, so that nothing after the part's end has a say.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from inkling.core.scenario import Cleaning, Scenario
from inkling.core.tables import Events, Items, People
from inkling.events.parts import (
    clip_outliers,
    drop_duplicates,
    drop_old,
    drop_rare,
    drop_robots,
    drop_taken_back,
    fill_values,
)
from inkling.events.report import CleaningReport, RuleReport
from inkling.events.text import clean_column

if TYPE_CHECKING:
    import polars as pl

Outcome = tuple["pl.DataFrame", int]
"""The table after a rule, and how many of its rows the rule changed."""


class _Stage:
    """Runs rules over one table and keeps count."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self.frame = frame
        self._before = frame.height
        self._rules: list[RuleReport] = []

    def run(self, name: str, rule: Callable[[pl.DataFrame], Outcome]) -> None:
        """Run one rule and note what it did."""
        before = self.frame.height
        self.frame, n_changed = rule(self.frame)
        self._rules.append(RuleReport(rule=name, removed=before - self.frame.height, changed=n_changed))

    def keep(self, name: str, mask: Callable[[], pl.Expr]) -> None:
        """Run a rule that keeps the rows under a mask."""
        self.run(name, lambda frame: (frame.filter(mask()), 0))

    def report(self) -> CleaningReport:
        """Return what all rules did."""
        return CleaningReport(before=self._before, after=self.frame.height, rules=tuple(self._rules))


def clean_rows(events: Events, scenario: Scenario) -> tuple[Events, CleaningReport]:
    """Run the row rules: missing user, missing item, item pattern, smallest value, text."""
    import polars as pl

    rules, stage = scenario.cleaning, _Stage(events.frame)
    if rules.drop_missing_user:
        stage.keep("drop_missing_user", lambda: pl.col("user_id").is_not_null())
    if rules.drop_missing_item:
        stage.keep("drop_missing_item", lambda: pl.col("item_id").is_not_null())
    if rules.item_pattern:
        stage.run("item_pattern", lambda frame: _matching(frame, rules.item_pattern))
    if rules.min_value is not None:
        stage.keep("min_value", lambda: _above(scenario, rules))
    if rules.clean_text and "text" in events.frame.columns:
        stage.run("clean_text", lambda frame: _clean_texts(frame, ["text"]))
    return Events(stage.frame), stage.report()


def clean_part(events: Events, scenario: Scenario) -> tuple[Events, CleaningReport]:
    """Run the rules that look at other rows over one part of a split, whose rows keep their order.

    In this order: retention, duplicates, cancellations, robots, made-up profiles, minimum activity (repeated until
    nothing changes), outliers, missing values. A cancellation acts from its own time, so one that lies after the part
    does not act.
    """
    rules, stage = scenario.cleaning, _Stage(events.frame)
    if scenario.retention_days > 0 and scenario.time == "real":
        stage.run("retention_days", lambda frame: drop_old(frame, scenario.retention_days))
    if rules.duplicates:
        stage.run("duplicates", drop_duplicates)
    if rules.cancellations and scenario.takes_back:
        stage.run("cancellations", lambda frame: drop_taken_back(frame, scenario))
    if rules.max_user_events > 0:
        stage.run("max_user_events", lambda frame: drop_robots(frame, rules.max_user_events))
    if rules.made_up_profiles:
        from inkling.events.profiles import drop_made_up  # scipy, which no other rule needs

        stage.run("made_up_profiles", lambda frame: drop_made_up(frame, scenario))
    if rules.min_user_events > 1 or rules.min_item_events > 1:
        stage.run("min_events", lambda frame: drop_rare(frame, scenario))
    if rules.outlier_quantile > 0:
        stage.run("outlier_quantile", lambda frame: clip_outliers(frame, rules.outlier_quantile))
    if rules.missing_values == "fill":
        stage.run("missing_values", fill_values)
    return Events(stage.frame), stage.report()


def clean_items(items: Items, scenario: Scenario) -> tuple[Items, CleaningReport]:
    """Run the row rules that concern the catalogue: item pattern, text (all text columns but the id and paths)."""
    stage = _Stage(items.frame)
    if scenario.cleaning.item_pattern:
        stage.run("item_pattern", lambda frame: _matching(frame, scenario.cleaning.item_pattern))
    if scenario.cleaning.clean_text:
        names = _text_columns(items.frame, but=("item_id", "image", "audio"))
        stage.run("clean_text", lambda frame: _clean_texts(frame, names))
    return Items(stage.frame), stage.report()


def clean_people(people: People, scenario: Scenario) -> tuple[People, CleaningReport]:
    """Run the row rule that concerns people: text (all text columns but the id)."""
    stage = _Stage(people.frame)
    if scenario.cleaning.clean_text:
        names = _text_columns(people.frame, but=("user_id",))
        stage.run("clean_text", lambda frame: _clean_texts(frame, names))
    return People(stage.frame), stage.report()


def _above(scenario: Scenario, rules: Cleaning) -> pl.Expr:
    import polars as pl

    enough = pl.col("value").is_null() | (pl.col("value") > rules.min_value)
    return ~pl.col("event").is_in(list(scenario.positive)) | enough


def _matching(frame: pl.DataFrame, pattern: str) -> Outcome:
    """Keep rows whose whole item id matches; events without an item are another rule's business."""
    import polars as pl

    from inkling.core.errors import ConfigError

    ids = frame.select(pl.col("item_id").unique())
    try:
        fits = ids.filter(pl.col("item_id").str.contains(f"^(?:{pattern})$") | pl.col("item_id").is_null())
    except pl.exceptions.ComputeError as error:
        raise ConfigError(
            f"cleaning.item_pattern: {pattern!r} is no regular expression: {str(error).splitlines()[0]}.",
            hint="Expected one of Rust's regex syntax (no look-around), such as '[0-9]{5}[A-Z]?'.",
        ) from error
    return frame.join(fits, on="item_id", how="semi", nulls_equal=True, maintain_order="left"), 0


def _text_columns(frame: pl.DataFrame, *, but: tuple[str, ...]) -> list[str]:
    import polars as pl

    return [name for name, kind in frame.schema.items() if kind == pl.String and name not in but]


def _clean_texts(frame: pl.DataFrame, names: list[str]) -> Outcome:
    n_changed = 0
    for name in names:
        column, n = clean_column(frame[name])
        if n:
            frame, n_changed = frame.with_columns(column.alias(name)), n_changed + n
    return frame, n_changed
