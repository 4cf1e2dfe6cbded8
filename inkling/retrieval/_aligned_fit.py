"""How ``aligned`` learns what speaks for an item without events: warm items play cold ones inside the training part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Bool
from inkling.core.dataset import Dataset
from inkling.core.run import Run
from inkling.retrieval._aligned import Asked, Bridge, Facts, Ready
from inkling.retrieval._aligned_judge import Best, Chances, Judge, warm_features
from inkling.retrieval._item_to_item import ItemToItem
from inkling.retrieval._taste import Taste, day_length, decay

Learn = Callable[[Dataset, I32], F32 | None]
"""Events and warm rows -> places (n, e) that were learned from those alone, or None."""
_SHOWN = 10
_NEGATIVES = 200
_LIFTS = np.exp(np.linspace(np.log(1 / 64), np.log(64), 49))
_SHARE = 0.2
_WANTED = 1200


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The newest events of a training part, taken out: what is left, who is asked, when, and what was right."""

    train: Dataset
    people: I32  # (P,)
    now: I64  # (P,)
    targets: list[I32]  # P sorted lists


@dataclass(frozen=True, eq=False)
class Played:
    """One person's answer while some warm items played cold ones."""

    features: F32  # (C, F)
    right: Bool  # (C,)
    warm_features: F32  # (R, 8) of the best warm items
    warm_right: Bool  # (R,)
    n_warm: int  # warm targets


def held_out(data: Dataset, run: Run, *, least: int = 60) -> HeldOut | None:
    """Take the newest tenth of the events out; where that leaves few people, the last fifth of each person's.

    Returns:
        None where nobody has both a past and something that was taken out.
    """
    events = data.interactions
    good = np.flatnonzero(events.positive & (events.user_rows >= 0) & (events.item_rows >= 0))
    if len(good) < 20:
        return None
    if data.scenario.time == "real":
        cut = int(events.ts[good[int(0.9 * (len(good) - 1))]])
        found = _after(data.cut(cut), data, np.flatnonzero(events.positive & (events.ts > cut)), run)
        if found is not None and len(found.people) >= least:
            return found
    order = good[np.argsort(events.user_rows[good], kind="stable")]
    _, starts, counts = np.unique(events.user_rows[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(starts, counts)
    late = order[(place >= np.repeat(np.maximum(np.ceil(0.8 * counts), 1), counts)) | _last(place, counts)]
    mask = np.ones(len(events), np.bool_)
    mask[late] = False
    return _after(replace(data, interactions=events.select(mask)), data, np.sort(late), run)


def _last(place: I64, counts: I64) -> Bool:
    """Return which events are the last of their person, where the person has at least three."""
    repeated = np.repeat(counts, counts)
    last: Bool = (place == repeated - 1) & (repeated >= 3)
    return last


def _after(train: Dataset, data: Dataset, late: I64, run: Run) -> HeldOut | None:
    events, past = data.interactions, train.interactions
    late = late[events.item_rows[late] >= 0]
    last = np.full(data.n_users, -1, np.int64)
    good = past.positive & (past.user_rows >= 0)
    last[past.user_rows[good]] = past.ts[good]
    known = train.known_items if len(train.known_items) else np.ones(data.n_items, np.bool_)
    late = late[(last[events.user_rows[late]] >= 0) & known[events.item_rows[late]]]
    people = np.unique(events.user_rows[late]).astype(np.int32)
    if not len(people):
        return None
    by_time = train.until < data.until
    people = np.sort(run.rng("aligned", "people").permutation(people)[:_WANTED])
    pairs = np.unique(np.stack([events.user_rows[late], events.item_rows[late]]), axis=1)
    begins, ends = np.searchsorted(pairs[0], people), np.searchsorted(pairs[0], people + 1)
    targets: list[I32] = [pairs[1, begin:end] for begin, end in zip(begins, ends, strict=True)]
    now = np.full(len(people), train.until, np.int64) if by_time else last[people]
    return HeldOut(train, people, now, targets)


@dataclass(frozen=True, eq=False)
class Simulation:
    """Everything that playing needs: who is asked, the warm model without what was held out, and the items' facts."""

    held: HeldOut
    base: ItemToItem
    facts: Facts
    day: float
    drop: bool

    def play(self, hide: Bool, people: I64, learn: Learn) -> list[Played]:
        """Return the answers to ``people`` (positions) while the items under ``hide`` (n,) play cold ones."""
        events = self.held.train.interactions
        had = np.bincount(events.item_rows[events.weights > 0], minlength=len(hide))
        said = self.facts.vectors.any(axis=1)
        warm = np.flatnonzero((had > 0) & said & ~hide).astype(np.int32)
        cold = np.flatnonzero((had > 0) & said & hide).astype(np.int32)
        if len(warm) < 2 or not len(cold):
            return []
        counts = np.log1p(np.where(hide, 0, people_of(self.held.train))).astype(np.float32)
        ready = Bridge.of(self.facts, cold, warm, counts, day=self.day, mapped=learn(self.held.train, warm)).prepared()
        query = self.held.train.query(self.held.people[people])
        query = replace(query, now=self.held.now[people])
        out = []
        for place, person in enumerate(people.tolist()):
            taste = self.base.taste(query, place)
            kept = ~hide[taste.rows]
            taste = Taste(taste.rows[kept], taste.weights[kept])
            if len(taste.rows):
                scores = np.where(hide, np.float32(0), self.base._said.score(taste, len(hide)))
                asked = Asked(scores, taste, int(query.now[place]), len(taste.rows))
                history = query.history.item_rows[query.history.offsets[place] : query.history.offsets[place + 1]]
                had_before = history[~hide[history]] if self.drop else history[:0]
                out.append(_played(asked, ready, self.held.targets[person], had_before))
        return out


def _played(asked: Asked, ready: Ready, targets: I32, had_before: I32) -> Played:
    scores = asked.scores.copy()
    scores[had_before] = 0
    cold, wanted = ready.bridge.cold, np.setdiff1d(targets, had_before)
    best = Best.of(scores)
    features = warm_features(asked, best, ready.about(asked, best.rows))
    n_warm = int((~np.isin(wanted, cold)).sum())
    return Played(ready.features(asked), np.isin(cold, wanted), features, np.isin(best.rows, wanted), n_warm)


def people_of(data: Dataset) -> I64:
    """Return how many people (n,) had each item."""
    events = data.interactions
    good = (events.weights > 0) & (events.user_rows >= 0) & (events.item_rows >= 0)
    pairs = np.unique(events.user_rows[good].astype(np.int64) * data.n_items + events.item_rows[good])
    return np.bincount(pairs % data.n_items, minlength=data.n_items)


def popular_of(data: Dataset, half_life_days: float) -> F32:
    """Return how popular each item (n,) is, 1 for the most popular."""
    events = data.interactions
    events = events.select((events.weights > 0) & (events.item_rows >= 0))
    weights = decay(data.until - events.ts, half_life_days, day_length(data))
    counts = np.bincount(events.item_rows, weights, data.n_items)
    return (counts / max(float(counts.max(initial=0)), 1e-9)).astype(np.float32)


def rounds(simulation: Simulation, run: Run, learn: Learn, *, people: int = 400) -> list[Played]:
    """Return answers while one fifth of the items after another plays cold, as long as more people help."""
    n = len(simulation.held.people)
    fifth = run.rng("aligned", "fifths").permutation(len(simulation.facts.vectors)) % round(1 / _SHARE)
    out: list[Played] = []
    for number in range(round(1 / _SHARE)):
        asked = np.sort(run.rng("aligned", "asked", str(number)).permutation(n)[:people])
        out += simulation.play(fifth == number, asked, learn)
        if len(out) >= _WANTED:
            break
    return out


def judge(played: list[Played], run: Run, *, price: float) -> Judge:
    """Return what was learned from answers in which some of what was right was cold."""
    rng = run.rng("aligned", "wrong")
    cold = Chances.fitted(*_rows([(one.features, one.right) for one in played], rng))
    warm = Chances.fitted(*_rows([(one.warm_features, one.warm_right) for one in played], rng))
    plain = Judge(cold, warm, 1.0)
    return replace(plain, lift=_lift(played, plain, price))


def _rows(pairs: list[tuple[F32, Bool]], rng: np.random.Generator) -> tuple[F64, Bool, F64]:
    """Return every right pair and some of the wrong ones, which count for all that they stand for."""
    xs: list[F32] = []
    ys: list[Bool] = []
    ws: list[F64] = []
    for features, right in pairs:
        hits, wrong = np.flatnonzero(right), np.flatnonzero(~right)
        some = wrong if len(wrong) <= _NEGATIVES else rng.choice(wrong, _NEGATIVES, replace=False)
        xs += [features[hits], features[some]]
        ys += [np.ones(len(hits), np.bool_), np.zeros(len(some), np.bool_)]
        ws += [np.ones(len(hits)), np.full(len(some), len(wrong) / max(len(some), 1))]
    return np.concatenate(xs).astype(np.float64), np.concatenate(ys), np.concatenate(ws)


def _lift(played: list[Played], plain: Judge, price: float) -> float:
    """Return the largest factor on cold chances under which warm NDCG@10 falls by at most ``price`` of itself."""
    cold = [np.sort(plain.cold(one.features))[::-1][:_SHOWN] for one in played]
    warm = [np.minimum.accumulate(plain.warm(one.warm_features))[:_SHOWN] for one in played]
    whole = sum(_worth(one, np.zeros(len(own), np.int64)) for one, own in zip(played, warm, strict=True))
    best = float(_LIFTS[0])
    for lift in _LIFTS.tolist():
        left = 0.0
        for one, chances, own in zip(played, cold, warm, strict=True):
            left += _worth(one, (chances[None, :] + np.log(lift) >= own[:, None]).sum(axis=1))
        if left < (1 - price) * whole:
            break
        best = lift
    return best


def _worth(one: Played, before: I64) -> float:
    """Return the NDCG@10 of warm targets when so many cold items stand before each of the first warm ones."""
    if not one.n_warm:
        return 0.0
    ranks = np.arange(1, len(before) + 1) + before
    shown = ranks[one.warm_right[: len(before)] & (ranks <= _SHOWN)]
    ideal = (1 / np.log2(np.arange(2, min(one.n_warm, _SHOWN) + 2))).sum()
    return float((1 / np.log2(shown + 1.0)).sum() / ideal)
