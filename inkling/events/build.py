"""Cleaned tables to the rows that models are fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, I16, Array, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Scenario
from inkling.core.tables import CONTEXT_PREFIX, Events, Items, Links, People
from inkling.core.vocabulary import Vocabulary
from inkling.events.codes import named_codes, vocabulary_rows
from inkling.events.fingerprint import fingerprint_rows
from inkling.events.sessions import session_rows

if TYPE_CHECKING:
    import polars as pl

ANONYMOUS = "session:"
"""What stands before the session id of an event without a person: a session is then the person."""


def build_dataset(  # noqa: PLR0913 - the tables, the vocabularies and the moment are each a choice of the caller
    events: Events,
    scenario: Scenario,
    *,
    items: Items | None = None,
    people: People | None = None,
    links: Links | None = None,
    user_ids: Vocabulary | None = None,
    item_ids: Vocabulary | None = None,
    until: int | None = None,
) -> Dataset:
    """Return the events as a Dataset: sorted by time (ties keep their order), in rows, with weights and sessions.

    No rule of cleaning runs here; ``clean_rows`` and ``clean_part`` come before. Three kinds of rows have no place in a
    Dataset and are left out all the same: events after ``until``, events without an item, and events with neither
    person nor session. An event without a person but with a session belongs to the person ``session:<session_id>``.
    A cancellation stays as an event of weight 0 that is not positive; what it took back was left out by ``clean_part``.

    Args:
        events: What happened, cleaned.
        scenario: Which events count, and for how much.
        items: The catalogue; all its items join the vocabulary.
        people: What is known of people; no row is handed out to people without events.
        links: Who knows whom, kept as it is.
        user_ids: A vocabulary to share and to grow; a new one where it is left out.
        item_ids: A vocabulary to share and to grow; a new one where it is left out.
        until: The moment of the data set; the time of the last event where it is left out.
    """
    user_ids = Vocabulary() if user_ids is None else user_ids
    item_ids = Vocabulary() if item_ids is None else item_ids
    frame = _usable(events.frame, until)
    moment = until if until is not None else latest(frame)
    interactions = _interactions(frame, scenario, user_ids, item_ids)
    if items is not None:
        item_ids.add_all(items.frame["item_id"].to_list())
    catalogue = _catalogue(items).aligned(item_ids)
    return Dataset(
        interactions=interactions,
        user_ids=user_ids,
        item_ids=item_ids,
        scenario=scenario,
        items=catalogue,
        people=None if people is None else people.aligned(user_ids),
        links=links,
        known_items=_known_items(interactions, items, item_ids, scenario, moment),
        until=moment,
        fingerprint=fingerprint_rows(frame),
    )


def latest(frame: pl.DataFrame) -> int:
    """Return the time of the last event; 0 where there are no events."""
    last = frame["timestamp"].max()
    return last if isinstance(last, int) else 0


def event_weights(frame: pl.DataFrame, scenario: Scenario) -> tuple[F32, Bool]:
    """Return the weight (N,) of each event as a positive signal and whether it is positive (N,).

    An event of ``scenario.positive`` is positive unless ``positive_value`` asks for a value that it does not reach or
    does not have; then it is history of weight 0. Signals have their weight and are not positive.
    """
    names = list(dict.fromkeys([*scenario.positive, *scenario.signals]))
    kinds = named_codes(frame["event"], names)
    strength = np.array([scenario.positive.get(name, scenario.signals.get(name, 0.0)) for name in names] + [0.0])
    may = np.array([name in scenario.positive for name in names] + [False])
    floor = np.array([scenario.positive_value.get(name, -np.inf) for name in names] + [-np.inf])
    values = frame["value"].to_numpy()
    least = floor[kinds]
    enough = (least == -np.inf) | (np.nan_to_num(values, nan=-np.inf) >= least)
    weights = np.where(enough, strength[kinds], 0.0).astype(np.float32)
    return weights, may[kinds] & enough


def positive_mask(frame: pl.DataFrame, scenario: Scenario) -> Bool:
    """Return which events (N,) are positive, that is, may be targets."""
    return event_weights(frame, scenario)[1]


def event_names(frame: pl.DataFrame, scenario: Scenario) -> list[str]:
    """Return the names of events: the scenario's own first, so that their codes are the same in every part."""
    stated = [*scenario.positive, *scenario.signals, *scenario.takes_back]
    return list(dict.fromkeys([*stated, *sorted(frame["event"].drop_nulls().unique().to_list())]))


def _usable(frame: pl.DataFrame, until: int | None) -> pl.DataFrame:
    import polars as pl

    if until is not None:
        frame = frame.filter(pl.col("timestamp") <= until)
    if "session_id" in frame.columns and frame["user_id"].null_count():
        session = pl.concat_str([pl.lit(ANONYMOUS), pl.col("session_id")])
        frame = frame.with_columns(pl.coalesce(pl.col("user_id"), session).alias("user_id"))
    if frame["user_id"].null_count() or frame["item_id"].null_count():
        frame = frame.drop_nulls(["user_id", "item_id"])
    return frame if frame["timestamp"].is_sorted() else frame.sort("timestamp", maintain_order=True)


def _interactions(frame: pl.DataFrame, scenario: Scenario, user_ids: Vocabulary, item_ids: Vocabulary) -> Interactions:
    user_rows = vocabulary_rows(frame["user_id"], user_ids)
    weights, positive = event_weights(frame, scenario)
    names = event_names(frame, scenario)
    context, values = _context(frame, scenario)
    return Interactions(
        user_rows=user_rows,
        item_rows=vocabulary_rows(frame["item_id"], item_ids),
        ts=frame["timestamp"].to_numpy().astype(np.int64, copy=False),
        weights=weights,
        positive=positive,
        events=_event_codes(frame, names),
        values=frame["value"].to_numpy().astype(np.float32, copy=False),
        session_rows=session_rows(frame, user_rows, time=scenario.time, gap_s=scenario.session_gap_s),
        event_names=tuple(names),
        context=context,
        context_values=values,
        texts=_texts(frame),
    )


def _texts(frame: pl.DataFrame) -> Array:
    """Return what was said with each event (N,), None where nothing; (0,) where no event says anything."""
    said = "text" in frame.columns and frame["text"].null_count() < frame.height
    return frame["text"].to_numpy() if said else np.empty(0, dtype=object)


def _event_codes(frame: pl.DataFrame, names: list[str]) -> I16:
    return named_codes(frame["event"], names).astype(np.int16)


def _context(frame: pl.DataFrame, scenario: Scenario) -> tuple[dict[str, Array], dict[str, tuple[str, ...]]]:
    """Code the context columns that the scenario names; a column that the data lacks is missing everywhere."""
    import polars as pl

    coded: dict[str, Array] = {}
    values: dict[str, tuple[str, ...]] = {}
    for name in scenario.context:
        if (column := CONTEXT_PREFIX + name) in frame.columns:
            text = frame[column].cast(pl.String)
            known = sorted(text.drop_nulls().unique().to_list())
            coded[name], values[name] = named_codes(text, known), tuple(known)
        else:
            coded[name], values[name] = np.full(frame.height, -1, dtype=np.int32), ()
    return coded, values


def _catalogue(items: Items | None) -> Items:
    import polars as pl

    return items if items is not None else Items(pl.DataFrame(schema={"item_id": pl.String}))


def _known_items(
    interactions: Interactions, items: Items | None, item_ids: Vocabulary, scenario: Scenario, until: int
) -> Bool:
    """Mark items with an event, and catalogue rows that existed: no ``created_at``, or one up to ``until``."""
    import polars as pl

    known = np.zeros(len(item_ids), dtype=np.bool_)
    known[interactions.item_rows] = True
    if items is None:
        return known
    frame = items.frame
    if scenario.time == "real" and "created_at" in frame.columns:
        frame = frame.filter(pl.col("created_at").is_null() | (pl.col("created_at") <= until))
    known[item_ids.rows(frame["item_id"].to_list())] = True
    return known
