"""The events that a split cuts through: in time order, in rows of one vocabulary, part by part a Dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inkling.core.arrays import I32, I64, Array, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ProtocolError
from inkling.core.scenario import Scenario
from inkling.core.tables import Events, Items, Links, People
from inkling.core.vocabulary import Vocabulary
from inkling.events.build import ANONYMOUS, build_dataset, positive_mask
from inkling.events.clean import clean_part
from inkling.events.codes import vocabulary_rows

if TYPE_CHECKING:
    import polars as pl

_POSITION = "_position"
_ALWAYS = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Tables:
    """What lies beside the events in a data folder."""

    items: Items | None = None
    people: People | None = None
    links: Links | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """N events cleaned by the row rules, in time order; ties keep the file's order. Masks (N,) choose parts of them."""

    frame: pl.DataFrame
    scenario: Scenario
    tables: Tables
    user_ids: Vocabulary
    item_ids: Vocabulary
    ts: I64  # (N,)
    user_rows: I32  # (N,)
    item_rows: I32  # (N,)
    positive: Bool  # (N,) may be a target, before the part rules

    @classmethod
    def of(cls, events: Events, scenario: Scenario, tables: Tables) -> Parts:
        """Put events in order and number people and items; those of the catalogue and of later events included.

        Raises:
            ProtocolError: There are no events.
        """
        if not len(events):
            raise ProtocolError("There are no events to split.", hint="Check the data and the row rules of cleaning.")
        frame = _in_order(events.frame)
        user_ids, item_ids = Vocabulary(), Vocabulary()
        user_rows, item_rows = vocabulary_rows(frame["user_id"], user_ids), vocabulary_rows(frame["item_id"], item_ids)
        if tables.items is not None:
            item_ids.add_all(tables.items.frame["item_id"].to_list())
        ts = frame["timestamp"].to_numpy().astype(np.int64)
        return cls(
            frame, scenario, tables, user_ids, item_ids, ts, user_rows, item_rows, positive_mask(frame, scenario)
        )

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def n_users(self) -> int:
        """Return the size of the user vocabulary."""
        return len(self.user_ids)

    @property
    def n_items(self) -> int:
        """Return the size of the item vocabulary."""
        return len(self.item_ids)

    @cached_property
    def first(self) -> Bool:
        """Return the events (N,) that are not the second of equal ones, where the scenario's rule says so.

        The first stays whatever comes later, so the rule gives the same in every part as in the whole.
        """
        return first_of_equal(self.frame) if self.scenario.cleaning.duplicates else np.ones(len(self), dtype=np.bool_)

    @cached_property
    def split(self) -> Array | None:
        """Return the source's own split (N,), or None where it gives none."""
        return self.frame["split"].fill_null("").to_numpy() if "split" in self.frame.columns else None

    @cached_property
    def session_rows(self) -> I32:
        """Return the sessions (N,) that the source names, numbered; -1 where it names none."""
        if "session_id" not in self.frame.columns:
            return np.full(len(self), -1, dtype=np.int32)
        ids = self.frame["session_id"]
        rows = Vocabulary().add_all(ids.fill_null(""))
        return np.where(ids.is_null().to_numpy(), -1, rows).astype(np.int32)

    @cached_property
    def created_at(self) -> I64:
        """Return since when the catalogue knows each item (n_items,): ever, where it has no date or no row."""
        created = np.full(self.n_items, _ALWAYS, dtype=np.int64)
        items = self.tables.items
        if items is not None and "created_at" in items.frame.columns:
            dates = items.frame["created_at"].fill_null(_ALWAYS).to_numpy()
            created[self.item_ids.rows(items.frame["item_id"])] = dates
        return created

    @cached_property
    def clean_positive(self) -> Bool:
        """Return the positive events (N,) that nothing takes back."""
        numbered = self.frame.with_row_index(_POSITION)
        rules = _with(_without_limits(self.scenario), duplicates=False)
        numbered = numbered.filter(self.first)
        kept = clean_part(Events(numbered), rules)[0].frame[_POSITION].to_numpy()
        out = np.zeros(len(self), dtype=np.bool_)
        out[kept] = True
        return self.positive & out

    def with_event(self, mask: Bool) -> Bool:
        """Return the items (n_items,) with an event under ``mask``."""
        out = np.zeros(self.n_items, dtype=np.bool_)
        out[self.item_rows[mask]] = True
        return out

    def in_catalogue(self, instant: int | None) -> Bool:
        """Return the items (n_items,) with a catalogue row that existed at ``instant``; None is the end of time."""
        out = np.zeros(self.n_items, dtype=np.bool_)
        if self.tables.items is not None:
            out[self.item_ids.rows(self.tables.items.frame["item_id"])] = True
        return out if instant is None else out & (self.created_at <= instant)

    def dataset(self, mask: Bool, *, until: int, known: Bool) -> Dataset:
        """Return the events under ``mask``, cleaned by the part rules, as what a model is fitted on.

        Args:
            mask: (N,) the part.
            until: The last instant that may be known.
            known: (n_items,) the items that exist; the catalogue's rows of others are left out.
        """
        import polars as pl

        items = self.tables.items
        if items is not None:
            ids = pl.Series(self.item_ids.ids(np.flatnonzero(known).astype(np.int32)), dtype=pl.String)
            items = Items(items.frame.filter(pl.col("item_id").is_in(ids.implode())))
        return replace(self._built(self._cleaned(mask, self.scenario), items, until), known_items=known)

    def interactions(self, mask: Bool) -> Interactions:
        """Return the events under ``mask``, cleaned by the part rules, in rows."""
        return self._built(self._cleaned(mask, self.scenario), None, None).interactions

    def log(self, before: Bool, after: Bool) -> Interactions:
        """Return the events before a cut, cleaned as a training part, followed by those after it as they came in.

        Of the part rules only the one on duplicates holds after the cut: it needs no knowledge of what comes later.
        """
        import polars as pl

        rules = _with(_without_limits(self.scenario), cancellations=False)
        frame = pl.concat([self._cleaned(before, self.scenario), self._cleaned(after, rules)])
        return self._built(frame, None, None).interactions

    def targets(self, mask: Bool) -> tuple[I32, I32]:
        """Return user and item rows of the positive events under ``mask``, cleaned but for limits of activity."""
        frame = self._cleaned(mask, _without_limits(self.scenario))
        frame = frame.filter(positive_mask(frame, self.scenario))
        return vocabulary_rows(frame["user_id"], self.user_ids), vocabulary_rows(frame["item_id"], self.item_ids)

    def _cleaned(self, mask: Bool, scenario: Scenario) -> pl.DataFrame:
        return clean_part(Events(self.frame.filter(mask & self.first)), _with(scenario, duplicates=False))[0].frame

    def _built(self, frame: pl.DataFrame, items: Items | None, until: int | None) -> Dataset:
        return build_dataset(
            Events(frame),
            self.scenario,
            items=items,
            people=self.tables.people,
            links=self.tables.links,
            user_ids=self.user_ids,
            item_ids=self.item_ids,
            until=until,
        )


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """Sort by time (ties keep their order); an event without a person belongs to its session, or to nobody and goes."""
    import polars as pl

    if "session_id" in frame.columns and frame["user_id"].null_count():
        session = pl.concat_str([pl.lit(ANONYMOUS), pl.col("session_id")])
        frame = frame.with_columns(pl.coalesce(pl.col("user_id"), session).alias("user_id"))
    frame = frame.drop_nulls(["user_id", "item_id"])
    return frame if frame["timestamp"].is_sorted() else frame.sort("timestamp", maintain_order=True)


def first_of_equal(frame: pl.DataFrame) -> Bool:
    """Return which rows (N,) are the first with their ``event_id``, or the first of equal rows.

    Rows are told apart by a 64-bit hash; only those whose hash occurs twice are compared cell by cell.
    """
    import polars as pl

    twice = frame.hash_rows().is_duplicated().to_numpy()
    out = np.ones(frame.height, dtype=np.bool_)
    out[twice] = frame.filter(twice).select(pl.struct(pl.all()).is_first_distinct()).to_series().to_numpy()
    if "event_id" in frame.columns:
        out &= (
            frame.select(pl.col("event_id").is_null() | pl.col("event_id").is_first_distinct()).to_series().to_numpy()
        )
    return out


def _without_limits(scenario: Scenario) -> Scenario:
    """Return the scenario with those part rules only that do not choose events by what comes after them."""
    none = {"min_user_events": 1, "min_item_events": 1, "max_user_events": 0, "outlier_quantile": 0.0}
    free = _with(scenario, made_up_profiles=False, **none)
    return msgspec.structs.replace(free, retention_days=0.0)


def _with(scenario: Scenario, **rules: float) -> Scenario:
    return msgspec.structs.replace(scenario, cleaning=msgspec.structs.replace(scenario.cleaning, **rules))
