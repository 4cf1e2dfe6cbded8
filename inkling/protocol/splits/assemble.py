"""What every split ends with: targets are counted, people grouped, and a fold is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from inkling.core.arrays import I32, I64, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Seen
from inkling.core.vocabulary import Vocabulary
from inkling.protocol.fold import Fold, distinct_pairs, groups_by_history, keep_targets, restricted, take_lists, unseen


@dataclass(frozen=True, slots=True, eq=False)
class Given:
    """What is known when people are asked, whatever the split.

    ``old_items`` marks the items with an event up to the cut: others are reported as ``new_items``.
    """

    train: Dataset
    history: Interactions
    candidates: Bool  # (n_items,)
    old_items: Bool  # (n_items,)
    cut: int


def assemble(
    name: str,
    given: Given,
    pairs: tuple[I32, I32],
    seen: Seen,
    *,
    now: Callable[[I32], I64],
    validation: Callable[[], Fold | None],
) -> Fold:
    """Make a fold.

    Args:
        name: Of the fold.
        given: What is known.
        pairs: User rows and item rows (N,), (N,) of the positive events that are targets.
        seen: Under ``drop``, what a person had is no target; people left without one are left out and counted.
        now: User rows (P,) -> the moments (P,) that they are asked at.
        validation: Builds the same measurement inside the training part.
    """
    people, targets = distinct_pairs(*pairs)
    n_all = len(people)
    if seen == "drop":
        targets = keep_targets(targets, unseen(people, targets, given.history))
        left = np.flatnonzero(np.diff(targets.offsets) > 0)
        people, targets = people[left], take_lists(targets, left)
    n_events = np.bincount(given.history.user_rows, minlength=given.train.n_users)[people]
    groups = groups_by_history(targets, n_events)
    groups["new_items"] = restricted(targets, ~given.old_items[targets.values])
    return Fold(
        name=name,
        train=given.train,
        user_rows=people,
        history=given.history,
        targets=targets,
        groups={key: group for key, group in groups.items() if len(group.people) or key == "warm"},
        candidates=given.candidates,
        now=now(people),
        cut=given.cut,
        seen=seen,
        n_unreachable=int((~given.candidates[targets.values]).sum()),
        n_left_out=n_all - len(people),
        make_validation=validation,
    )


def at(moment: int) -> Callable[[I32], I64]:
    """Return a clock that shows everyone the same moment."""
    return lambda user_rows: np.full(len(user_rows), moment, dtype=np.int64)


def after_last_event(history: Interactions, *, otherwise: int) -> Callable[[I32], I64]:
    """Return a clock that shows each person the time of their last event, which gives no target's time away."""
    last: dict[int, int] = dict(zip(history.user_rows.tolist(), history.ts.tolist(), strict=True))
    return lambda user_rows: np.array([last.get(row, otherwise) for row in user_rows.tolist()], dtype=np.int64)


def buckets(vocabulary: Vocabulary, n: int) -> I32:
    """Return for each id (N,) its fold from 0 to n - 1: the first 8 bytes of its sha256 as a number, modulo n."""
    return np.array(
        [int.from_bytes(sha256(key.encode()).digest()[:8], "big") % n for key in vocabulary], dtype=np.int32
    )
