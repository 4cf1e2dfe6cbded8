"""The planted word: what is written after the cut must move nothing that is learned before it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import polars as pl

from inkling.core.arrays import Array
from inkling.core.scenario import Scenario
from inkling.core.tables import Events
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits import split

WORD = "zyxwvut plantedword"
Observed = Mapping[str, Array]


def check_planted_word(
    observe: Callable[[Fold], Observed],
    events: Events,
    scenario: Scenario,
    tables: Tables,
    spec: ProtocolSpec | None = None,
) -> None:
    """Plant a word in every text after the cut and compare what was learned, bit by bit.

    Args:
        observe: Fits whatever is under test on a fold's training part and returns its vectors, profiles and scores.
        events: Cleaned by the row rules, with a column ``text``.
        scenario: What counts.
        tables: Catalogue, people, links.
        spec: A split by time.

    Raises:
        AssertionError: Something moved, or there was no text to plant the word in.
    """
    for fold, changed in _pairs(events, scenario, tables, spec or ProtocolSpec(split="time")):
        before, after = observe(fold), observe(changed)
        assert before.keys() == after.keys(), (
            f"{fold.name}: what was learned has other names after the word was planted"
        )
        for name in before:
            same = np.array_equal(before[name], after[name], equal_nan=np.asarray(before[name]).dtype.kind == "f")
            assert same, f"{fold.name}: '{name}' moved when a word was planted after the cut"


def plant(events: Events, *, after: int, word: str = WORD) -> Events:
    """Return the events with a word added to every text younger than ``after``, missing texts included."""
    late = pl.col("timestamp") > after
    added = pl.concat_str([pl.col("text").fill_null(""), pl.lit(f" {word}")])
    return Events(events.frame.with_columns(pl.when(late).then(added).otherwise(pl.col("text")).alias("text")))


def _pairs(events: Events, scenario: Scenario, tables: Tables, spec: ProtocolSpec) -> list[tuple[Fold, Fold]]:
    assert "text" in events.frame.columns, "the events carry no text to plant a word in"
    pairs = []
    for number, fold in enumerate(split(events, scenario, tables, spec)):
        changed = plant(events, after=fold.cut)
        assert not changed.frame.equals(events.frame), f"{fold.name}: no event lies after the cut"
        pairs.append((fold, split(changed, scenario, tables, spec)[number]))
    return pairs
