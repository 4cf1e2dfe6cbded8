"""One measurement: what is learned from, who is asked, what would have been right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from inkling.core.arrays import I32, I64, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.scenario import Seen

LENGTHS = {"warm:1-4": (1, 4), "warm:5-19": (5, 19), "warm:20+": (20, np.iinfo(np.int64).max)}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """People of a fold who are reported together, and what counts as a hit for each of them."""

    people: I64  # (G,) positions in the fold
    targets: Jagged  # G lists of item rows


def _nothing() -> None:
    """Return no validation part."""


@dataclass(frozen=True, eq=False)
class Fold:
    """One part of a split. P people are asked; every row is of the vocabularies that all folds of a split share.

    Attributes:
        name: Names the fold in reports and dumps.
        train: What a model may be fitted on. Folds with the same object share one fit.
        user_rows: (P,) the people.
        history: What may be known of people when they are asked.
        targets: P lists of distinct item rows.
        groups: Name -> people and targets reported under it.
        candidates: (n_items,) what may be recommended.
        now: (P,) the moment each person is asked at.
        cut: The last instant that a model may know; no answer of a later one counts.
        seen: Whether what a person had may be recommended, and counts.
        by_time: Whether everything up to ``cut`` is training part, so that an artefact made before it saw no answer.
        n_unreachable: Targets outside the candidates: misses.
        n_left_out: People left without a target because they had all of them before.
        make_validation: Builds the same measurement inside the training part.
    """

    name: str
    train: Dataset
    user_rows: I32
    history: Interactions
    targets: Jagged
    groups: Mapping[str, Group]
    candidates: Bool
    now: I64
    cut: int
    seen: Seen
    by_time: bool = False
    n_unreachable: int = 0
    n_left_out: int = 0
    make_validation: Callable[[], Fold | None] = field(default=_nothing, repr=False)

    def __len__(self) -> int:
        return len(self.user_rows)

    @cached_property
    def validation(self) -> Fold | None:
        """Return the same measurement inside the training part, or None where that is too small to carry one."""
        return self.make_validation()

    def n_history(self) -> I64:
        """Return how many events each person (P,) had when asked."""
        return np.bincount(self.history.user_rows, minlength=self.train.n_users)[self.user_rows]

    def batches(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield the bounds of batches of people, at most ``size`` each, who can be asked in one question."""
        for start in range(0, len(self), size):
            yield start, min(start + size, len(self))

    def query(self, positions: I64 | None = None) -> Query:
        """Return the question for people of the fold by position (default: all)."""
        index = np.arange(len(self)) if positions is None else positions
        history = self.history.histories(self.user_rows[index])
        return Query(
            history=history,
            now=self.now[index],
            n_items=len(self.candidates),
            user_rows=self.user_rows[index],
            context=self.history.last_contexts(self.user_rows[index]),
            allowed=self.candidates,
            exclude=Jagged(history.offsets, history.item_rows) if self.seen == "drop" else None,
        )


def sampled(fold: Fold, n: int, rng: np.random.Generator) -> Fold:
    """Return the fold with at most ``n`` of its people, drawn at random: enough to choose settings on."""
    if len(fold) <= n:
        return fold
    chosen = np.sort(rng.permutation(len(fold))[:n])
    place = np.full(len(fold), -1, dtype=np.int64)
    place[chosen] = np.arange(n)
    groups = {}
    for name, group in fold.groups.items():
        kept = np.flatnonzero(place[group.people] >= 0)
        groups[name] = Group(place[group.people[kept]], take_lists(group.targets, kept))
    return replace(
        fold,
        user_rows=fold.user_rows[chosen],
        targets=take_lists(fold.targets, chosen),
        groups=groups,
        now=fold.now[chosen],
    )


def distinct_pairs(user_rows: I32, item_rows: I32) -> tuple[I32, Jagged]:
    """Return the distinct people (P,), sorted, and P sorted lists of their distinct items."""
    if not len(user_rows):
        return np.empty(0, dtype=np.int32), Jagged(np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32))
    span = int(item_rows.max()) + 1
    pairs = np.unique(user_rows.astype(np.int64) * span + item_rows)
    people, counts = np.unique(pairs // span, return_counts=True)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return people.astype(np.int32), Jagged(offsets, (pairs % span).astype(np.int32))


def keep_targets(targets: Jagged, mask: Bool) -> Jagged:
    """Return the same lists with only the elements under ``mask``; lists may become empty."""
    kept = np.concatenate([[0], np.cumsum(mask)]).astype(np.int64)
    return Jagged(kept[targets.offsets], targets.values[mask])


def take_lists(lists: Jagged, positions: I64) -> Jagged:
    """Return the lists at ``positions``, in that order."""
    lengths = np.diff(lists.offsets)[positions]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    flat = np.arange(offsets[-1]) + np.repeat(lists.offsets[positions] - offsets[:-1], lengths)
    return Jagged(offsets, lists.values[flat])


def unseen(user_rows: I32, targets: Jagged, history: Interactions) -> Bool:
    """Return which targets (N,) the person does not have in their history."""
    if not len(history) or not len(targets.values):
        return np.ones(len(targets.values), dtype=np.bool_)
    span = int(max(history.item_rows.max(), targets.values.max())) + 1
    owners = np.repeat(user_rows, np.diff(targets.offsets)).astype(np.int64)
    had = history.user_rows.astype(np.int64) * span + history.item_rows
    return ~np.isin(owners * span + targets.values, had)


def restricted(targets: Jagged, mask: Bool) -> Group:
    """Return the people who have targets under ``mask`` (N,), with those targets only."""
    kept = keep_targets(targets, mask)
    people = np.flatnonzero(np.diff(kept.offsets) > 0)
    return Group(people, take_lists(kept, people))


def groups_by_history(targets: Jagged, n_history: I64) -> dict[str, Group]:
    """Return ``warm``, ``new_users`` and warm people by length of history; ``n_history`` (P,) counts events."""
    owners = np.repeat(n_history, np.diff(targets.offsets))
    groups = {"warm": restricted(targets, owners > 0), "new_users": restricted(targets, owners == 0)}
    for name, (low, high) in LENGTHS.items():
        groups[name] = restricted(targets, (owners >= low) & (owners <= high))
    return groups
