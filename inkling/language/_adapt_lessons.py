"""What behaviour teaches about texts: who chose what after what, as arrays over the distinct texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.language._adapt_config import AdaptConfig

_MOST_HELD_OUT = 500
_LEAST_EVENTS = 3  # positive events of a person who may be held out
_MOST_PAIRS = 1_000_000


@dataclass(frozen=True)
class Pairs:
    """P examples: a person as they were before an event, and the text of its item.

    ``before`` holds what they had chosen, the newest first, -1 beyond the end.
    """

    people: I32  # (P,)
    before: I32  # (P, history)
    texts: I32  # (P,)
    chosen: Bool  # (P,) whether the event speaks for the item
    values: F32  # (P,) NaN where the event carries none

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: I64 | Bool) -> Pairs:
        """Return the examples at positions ``index``, or under a mask."""
        people, before, texts = self.people[index], self.before[index], self.texts[index]
        return Pairs(people, before, texts, self.chosen[index], self.values[index])


@dataclass(frozen=True)
class Lessons:
    """Everything that is learned from. T distinct texts of items that exist; items of equal texts are one."""

    texts: list[str]  # (T,)
    text_of: I32  # (n_items,) row of ``texts``; -1 where there is none
    pairs: Pairs
    held: Pairs  # one for each person who is held out
    chose: csr_array  # (people, T) 1 where the person chose it, held out events not counted
    categories: I32  # (T,) -1 where unknown
    n_categories: int
    drop_seen: bool

    @property
    def n_texts(self) -> int:
        """Return T."""
        return len(self.texts)

    @cached_property
    def together(self) -> csr_array:
        """Return (T, people): who chose each text."""
        return self.chose.T.tocsr()

    @cached_property
    def by_text(self) -> tuple[I64, I64]:
        """Return the examples in the order of their texts, and where each text's begin (T + 1)."""
        return _grouped(self.pairs.texts, self.n_texts)

    @cached_property
    def by_history(self) -> tuple[I64, I64]:
        """Return the chosen examples in whose history a text stands, by text, and where each text's begin."""
        rows, slots = np.nonzero((self.pairs.before >= 0) & self.pairs.chosen[:, None])
        order, starts = _grouped(self.pairs.before[rows, slots], self.n_texts)
        return rows[order], starts

    def likeness(self, rows: I64, columns: I64) -> F32:
        """Return (N, M) the cosine of two texts by the people who chose them; 0 of a text with itself."""
        left, right = self.together[rows], self.together[columns]
        counts = np.maximum(np.diff(self.together.indptr), 1).astype(np.float32) ** 0.5
        found = (left @ right.T).toarray() / counts[rows][:, None] / counts[columns][None, :]
        return np.where(rows[:, None] == columns[None, :], 0, found).astype(np.float32)


def learn_lessons(data: Dataset, config: AdaptConfig, run: Run) -> Lessons:
    """Return what a data set teaches.

    Raises:
        DataError: There are too few texts or choices, or what an objective needs is not there.
    """
    texts, text_of = distinct_texts(data)
    events = _events(data, text_of)
    positive = int(events[3].sum())
    if len(texts) < 2 or positive < 2:
        raise DataError(
            f"adapt needs items with texts that people chose; there are {len(texts)} texts and {positive} choices.",
            hint="Give the catalogue titles or descriptions.",
        )
    held = _held_out(events, config, run)
    pairs = _pairs(events, held, config)
    drop = data.scenario.seen == "drop"
    learned = pairs.take(~held & _new(pairs, drop=True) & (pairs.before[:, 0] >= 0))
    if len(learned) > _MOST_PAIRS:
        learned = learned.take(np.sort(run.rng("pairs").permutation(len(learned))[:_MOST_PAIRS]))
    told = pairs.take(held & _new(pairs, drop=drop) & (pairs.before[:, 0] >= 0))
    people, rows, chosen = events[0], events[1], events[3] & ~held
    shape = (data.n_users, len(texts))
    chose = csr_array((np.ones(int(chosen.sum()), np.float32), (people[chosen], rows[chosen])), shape=shape)
    chose.sum_duplicates()
    chose.data[:] = 1
    categories, n_categories = _categories(data, text_of, len(texts))
    lessons = Lessons(texts, text_of, learned, told, chose, categories, n_categories, drop)
    _check(lessons, config)
    return lessons


def _check(lessons: Lessons, config: AdaptConfig) -> None:
    pairs = lessons.pairs
    if not pairs.chosen.any() and any(config.asks(name) for name in ("sequence", "behaviour", "rating")):
        raise DataError("adapt: nobody chose a second thing.", hint="Use the objectives similarity or category.")
    if config.asks("rating") and np.isfinite(pairs.values).sum() < 2:
        raise DataError("adapt: the objective rating needs events with values.", hint="Leave it out.")
    if config.asks("category") and lessons.n_categories < 2:
        raise DataError("adapt: the objective category needs at least two categories.", hint="Leave it out.")


def distinct_texts(data: Dataset) -> tuple[list[str], I32]:
    """Return the distinct texts of items that exist, and each item's row among them (n_items,), -1 without one."""
    known = data.known_items if len(data.known_items) else np.ones(data.n_items, dtype=np.bool_)
    texts = [text if there else "" for text, there in zip(data.items.texts(), known.tolist(), strict=True)]
    found = list(dict.fromkeys(text for text in texts if text.strip()))
    place = {text: row for row, text in enumerate(found)}
    return found, np.array([place.get(text, -1) for text in texts], dtype=np.int32)


def _events(data: Dataset, text_of: I32) -> tuple[I32, I32, F32, Bool]:
    """Return people, texts, values and whether they are chosen, of events with texts, by person and then by time."""
    events = data.interactions
    rows = text_of[events.item_rows]
    order = np.argsort(events.user_rows, kind="stable")
    order = order[rows[order] >= 0]
    return events.user_rows[order], rows[order], events.values[order], events.positive[order]


def _held_out(events: tuple[I32, I32, F32, Bool], config: AdaptConfig, run: Run) -> Bool:
    """Return (N,) the last choice of the people who are held out."""
    people, chosen = events[0], events[3]
    held = np.zeros(len(people), dtype=np.bool_)
    counts = np.bincount(people[chosen])
    able = np.flatnonzero(counts >= _LEAST_EVENTS)
    n = min(round(config.held_out * len(able)), _MOST_HELD_OUT)
    last = np.zeros(len(counts), dtype=np.int64)
    last[people[chosen]] = np.flatnonzero(chosen)  # later positions overwrite earlier ones
    held[last[run.rng("held out").permutation(able)[:n]]] = True
    return held


def _pairs(events: tuple[I32, I32, F32, Bool], held: Bool, config: AdaptConfig) -> Pairs:
    """Return every event with what its person had chosen before it."""
    people, rows, values, chosen = events
    counts = np.flatnonzero(chosen & ~held)  # positions of choices that may be looked back at
    place = np.searchsorted(counts, np.arange(len(people)))  # how many of them are before each event
    first = np.searchsorted(counts, np.searchsorted(people, people))  # where its person's own begin among them
    back = place[:, None] - 1 - np.arange(config.history)
    inside = back >= first[:, None]
    before = rows[counts[np.where(inside, back, 0)]] if len(counts) else np.zeros(back.shape, dtype=np.int32)
    return Pairs(people, np.where(inside, before, -1).astype(np.int32), rows, chosen, values)


def _new(pairs: Pairs, *, drop: bool) -> Bool:
    """Return (P,) whether the item is not in what stands before it (where that counts)."""
    same: Bool = (pairs.before == pairs.texts[:, None]).any(axis=1)
    return ~same if drop else np.ones(len(same), dtype=np.bool_)


def _categories(data: Dataset, text_of: I32, n_texts: int) -> tuple[I32, int]:
    """Return each text's first category (T,), and how many there are."""
    found = np.full(n_texts, -1, dtype=np.int32)
    frame = data.items.frame
    if "categories" not in frame.columns:
        return found, 0
    first = [_first(value) for value in frame["categories"].to_list()]
    names = {name: code for code, name in enumerate(sorted({name for name in first if name}))}
    has = np.array([name is not None for name in first]) & (text_of >= 0)
    found[text_of[has]] = [names[name] for name, there in zip(first, has.tolist(), strict=True) if there and name]
    return found, len(names)


def _first(value: Sequence[str] | str | None) -> str | None:
    if isinstance(value, str):
        return value or None
    return next((name for name in value or () if name), None)


def _grouped(keys: Array, n: int) -> tuple[I64, I64]:
    order = np.argsort(keys, kind="stable")
    starts = np.searchsorted(keys[order], np.arange(n + 1))
    return order.astype(np.int64), starts.astype(np.int64)
