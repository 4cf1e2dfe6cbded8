"""Validation windows inside the training data: what a pipeline learns its order from, and chooses by."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from inkling.core.arrays import I32, I64, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.run import Run

SHARE = 0.9
MAX_PEOPLE = 800
"""People that a window is cut down to, where each has many targets."""
MAX_TARGETS = 6000
"""Targets that a window of more people may hold: where people have one each, it takes many to tell anything."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was known before a moment, and what people took after it."""

    train: Dataset
    user_rows: I32  # (P,)
    targets: Jagged  # (P lists of distinct item rows)


def windows(data: Dataset, n: int, run: Run) -> list[Window]:
    """Return up to ``n`` windows, the newest first.

    Where times are real, a window ends where the next newer one begins, by the rule of the time split: its cut is the
    time at nine tenths of the positive events before its end. Where there is only an order, one window holds each
    person's last positive event; where there is none, a random tenth.
    """
    if data.scenario.time == "real":
        return _by_time(data, n, run)
    positive = data.interactions.positive
    held = (
        _last_of_each(data.interactions)
        if data.scenario.time == "order"
        else positive & (run.rng("windows").random(len(positive)) > SHARE)
    )
    return _window(replace(data, interactions=data.interactions.select(~held)), data.interactions.select(held), run)


def newest_window(data: Dataset, run: Run, *, since: int, share: float) -> Window | None:
    """Return the last ``share`` of the positive events after ``since``; None where they tell nothing."""
    events = data.interactions
    times = events.ts[events.positive & (events.ts > since)]
    if not len(times):
        return None
    cut = int(times[min(int((1 - share) * len(times)), len(times) - 1)])
    cut = cut if cut < times[-1] else int(times[-1]) - 1
    made = _window(data.cut(cut), events.select((events.ts > cut) & events.positive), run)
    return made[0] if made else None


def _by_time(data: Dataset, n: int, run: Run) -> list[Window]:
    found: list[Window] = []
    end, times = data.until, data.interactions.ts[data.interactions.positive]
    while len(found) < n and len(times) >= 20:
        cut = int(times[int(SHARE * len(times))])
        if cut >= times[-1]:
            break
        between = (data.interactions.ts > cut) & (data.interactions.ts <= end) & data.interactions.positive
        made = _window(data.cut(cut), data.interactions.select(between), run)
        found += made
        if not made:
            break
        end, times = cut, times[times <= cut]
    return found


def _last_of_each(events: Interactions) -> Bool:
    held = np.zeros(len(events), dtype=np.bool_)
    at = np.flatnonzero(events.positive)
    newest = np.zeros(int(events.user_rows.max(initial=-1)) + 1, dtype=np.int64)
    newest[events.user_rows[at]] = at  # later positions overwrite earlier ones
    count = np.bincount(events.user_rows[at], minlength=len(newest))
    held[newest[count >= 3]] = True
    return held


def _window(train: Dataset, taken: Interactions, run: Run) -> list[Window]:
    """Return a window of at most ``MAX_PEOPLE`` people or ``MAX_TARGETS`` targets, or none where it tells nothing."""
    reachable = train.known_items[taken.item_rows]
    pair = np.unique(taken.user_rows[reachable].astype(np.int64) * train.n_items + taken.item_rows[reachable])
    people, start = np.unique(pair // max(train.n_items, 1), return_index=True)
    if train.scenario.seen == "drop":
        pair, people, start = _unseen(train, pair)
    if len(people) < 5 or len(train.interactions) == 0:
        return []
    lists = np.split((pair % train.n_items).astype(np.int32), start[1:])
    chosen = np.arange(len(people))
    most = max(MAX_PEOPLE, MAX_TARGETS * len(people) // max(len(pair), 1))
    if len(people) > most:
        chosen = np.sort(run.rng("people").choice(len(people), most, replace=False))
    return [Window(train, people[chosen].astype(np.int32), Jagged.from_lists([lists[i] for i in chosen]))]


def _unseen(train: Dataset, pair: I64) -> tuple[I64, I64, I64]:
    had = train.interactions.user_rows.astype(np.int64) * train.n_items + train.interactions.item_rows
    pair = pair[~np.isin(pair, had)]
    people, start = np.unique(pair // max(train.n_items, 1), return_index=True)
    return pair, people, start
