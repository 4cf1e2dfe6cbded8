"""Feedback that is not what it seems: made-up profiles that push an item, and noise inside real ones.

The attacks are those of Mobasher, Burke, Bhaumik and Williams (2007), in terms of events instead of ratings. Everything
is put into a training part; who is asked, and what would have been right, stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from inkling.core.arrays import I32, I64
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ConfigError, DataError, nearest
from inkling.core.run import Run

KINDS = ("random", "average", "bandwagon", "profiles", "events")
Kind = Literal["random", "average", "bandwagon", "profiles", "events"]
_FAMOUS = 5
_MAX_PROFILE = 200


@dataclass(frozen=True, slots=True)
class Attack:
    """What is put in.

    Attributes:
        kind: ``random``: made-up people who take arbitrary items and the target; ``average``: items as often as all
            people take them, and the target; ``bandwagon``: the most taken items, arbitrary ones, and the target;
            ``profiles``: people who take arbitrary items, with no target; ``events``: arbitrary events inside real
            people's histories.
        share: Made-up people, as a share of the people with a positive event; of ``events``, as a share of the events.
    """

    kind: Kind
    share: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"There is no attack '{self.kind}'.", hint=nearest(self.kind, KINDS))
        if not 0 <= self.share <= 1:
            raise ConfigError(f"The share of an attack is {self.share}, expected 0 to 1.")

    @classmethod
    def parse(cls, text: str) -> Attack:
        """Read ``bandwagon:0.05``.

        Raises:
            ConfigError: It is of another form.
        """
        kind, colon, share = text.partition(":")
        try:
            number = float(share)
        except ValueError:
            number = float("nan")
        if not colon or number != number:  # noqa: PLR0124 - the one number that is not itself
            raise ConfigError(f"'{text}' is no attack.", hint="For example bandwagon:0.05.")
        return cls(kind, number)  # type: ignore[arg-type]

    @property
    def pushes(self) -> bool:
        """Tell whether the attack has an item that it wants in front."""
        return self.kind in ("random", "average", "bandwagon")


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A training part with what was put in.

    Attributes:
        data: The training part; made-up people are the last rows of its vocabulary.
        target: Row of the item that is pushed; -1 where none is.
        fakes: (F,) rows of the made-up people.
        n_events: How many events were put in.
    """

    data: Dataset
    target: int
    fakes: I32
    n_events: int


def poison(data: Dataset, attack: Attack, run: Run) -> Poisoned:
    """Return ``data`` with an attack in it; the same seed puts in the same.

    The target is drawn among the items that exist and have the fewest positive events, at least one. Made-up people
    have as many events as real ones, over the whole time of the data; the target comes right after an item of the
    profile, as it would where models look at what follows what.

    Raises:
        DataError: There is no positive event that an attack could imitate.
    """
    positive = np.flatnonzero(data.interactions.positive)
    if not len(positive):
        raise DataError("There is no positive event to imitate.")
    rng = run.rng("attack", attack.kind)
    target = _target(data, rng)  # drawn first, so that all shares of a kind push the same item
    if attack.kind == "events":
        return _noisy(data, round(attack.share * len(positive)), rng)
    sizes = np.bincount(data.interactions.user_rows[positive])
    sizes = np.minimum(sizes[sizes > 0], _MAX_PROFILE)
    n_fakes = round(attack.share * len(sizes))
    lists = [_profile(data, attack, int(size), target, rng) for size in rng.choice(sizes, n_fakes)]
    lengths = np.array([len(rows) for rows in lists], dtype=np.int64)
    fakes = np.arange(data.n_users, data.n_users + n_fakes, dtype=np.int32)
    items = np.concatenate([*lists, np.empty(0, dtype=np.int32)]).astype(np.int32)
    known = data.interactions.ts[positive]
    times = [np.sort(rng.choice(known, length)) for length in lengths.tolist()]
    ts = np.concatenate([*times, np.empty(0, dtype=np.int64)]).astype(np.int64)
    grown = _with_people(data, n_fakes)
    mixed = _mixed(grown, np.repeat(fakes, lengths), items, ts)
    return Poisoned(mixed, target if attack.pushes else -1, fakes, len(items))


def _target(data: Dataset, rng: np.random.Generator) -> int:
    counts = _counts(data)
    taken = np.flatnonzero((counts > 0) & data.known_items)
    fewest = taken[counts[taken] == counts[taken].min()] if len(taken) else taken
    return int(rng.choice(fewest)) if len(fewest) else -1


def _counts(data: Dataset) -> I64:
    counts: I64 = np.bincount(data.interactions.item_rows[data.interactions.positive], minlength=data.n_items)
    return counts


def _profile(data: Dataset, attack: Attack, size: int, target: int, rng: np.random.Generator) -> I32:
    """Return the items of one made-up person in their order."""
    counts, known = _counts(data), np.flatnonzero(data.known_items)
    if len(known) > 1:  # the filler is there to hide the target
        known, counts[target] = known[known != target], 0
    if attack.kind == "average" and counts.any():
        filler = rng.choice(data.n_items, size, p=counts / counts.sum())
    else:
        filler = rng.choice(known, size)
    if attack.kind == "bandwagon":
        famous = np.argsort(-counts, kind="stable")[:_FAMOUS]
        chosen = rng.choice(famous, min(len(famous), max(size // 2, 1)), replace=False)
        filler[rng.permutation(size)[: len(chosen)]] = chosen
    if not attack.pushes:
        return filler.astype(np.int32)
    return np.insert(filler, int(rng.integers(1, size + 1)), target).astype(np.int32)


def _with_people(data: Dataset, n: int) -> Dataset:
    user_ids = data.user_ids.copy()
    user_ids.add_all(f"\x1fmade-up-{number}" for number in range(n))
    people = None if data.people is None else type(data.people)(data.people.frame).aligned(user_ids)
    return replace(data, user_ids=user_ids, people=people)


def _noisy(data: Dataset, n: int, rng: np.random.Generator) -> Poisoned:
    """Put arbitrary items at moments at which people did something anyway."""
    like = rng.choice(np.flatnonzero(data.interactions.positive), n)
    items = rng.choice(np.flatnonzero(data.known_items), n).astype(np.int32)
    mixed = _mixed(data, data.interactions.user_rows[like], items, data.interactions.ts[like])
    return Poisoned(mixed, -1, np.empty(0, dtype=np.int32), n)


def _mixed(data: Dataset, user_rows: I32, item_rows: I32, ts: I64) -> Dataset:
    """Return the data with further positive events of the usual kind; at one instant they come after the real ones."""
    events = data.interactions
    n, names = len(user_rows), {"user_rows": user_rows, "item_rows": item_rows, "ts": ts}
    kind = _usual(events)
    added = {
        **names,
        "weights": np.full(n, events.weights[kind], dtype=np.float32),
        "positive": np.ones(n, dtype=np.bool_),
        "events": np.full(n, events.events[kind], dtype=np.int16),
        "values": np.full(n, events.values[kind], dtype=np.float32),
        "session_rows": int(events.session_rows.max(initial=-1)) + 1 + np.arange(n, dtype=np.int32),
    }
    columns = {name: np.concatenate([getattr(events, name), column]) for name, column in added.items()}
    order = np.argsort(columns["ts"], kind="stable")
    context = {
        name: np.concatenate([codes, np.full(n, -1, dtype=codes.dtype)])[order]
        for name, codes in events.context.items()
    }
    ordered: dict[str, Any] = {name: column[order] for name, column in columns.items()}
    texts = np.concatenate([events.texts, np.full(n, None, dtype=object)])[order] if len(events.texts) else events.texts
    mixed = replace(events, **ordered, context=context, texts=texts)
    return replace(data, interactions=mixed, fingerprint="")


def _usual(events: Interactions) -> int:
    """Return the position of a positive event of the commonest kind, with the commonest value of that kind."""
    positive = np.flatnonzero(events.positive)
    kinds, n = np.unique(events.events[positive], return_counts=True)
    own = positive[events.events[positive] == kinds[n.argmax()]]
    told = own[np.isfinite(events.values[own])]
    if not len(told):
        return int(own[0])
    _, first, n = np.unique(events.values[told], return_index=True, return_counts=True)
    return int(told[first[n.argmax()]])
