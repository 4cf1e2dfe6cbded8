"""By time: learn from everything up to an instant, be asked about what came after. The honest split."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.errors import ProtocolError
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts
from inkling.protocol.spec import ProtocolSpec, share
from inkling.protocol.splits.assemble import Given, assemble, at, buckets


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return a fold for each cut, or for each cut and fold of people."""
    return [fold for cut in spec.cuts for fold in _at_cut(parts, cut, spec)]


def _at_cut(parts: Parts, cut: float, spec: ProtocolSpec) -> Iterator[Fold]:
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    everything = np.ones(len(parts), dtype=np.bool_)
    if not spec.folds:
        yield required(time_fold(parts, everything, cut, seen, name=f"time@{cut}"), cut)
        return
    fold_of_user = buckets(parts.user_ids, spec.folds)
    for number in range(spec.folds):
        held = [fold_of_user == number, fold_of_user == (number + 1) % spec.folds]
        yield required(time_fold(parts, everything, cut, seen, name=f"time@{cut}/people-{number}", held=held), cut)


def required(fold: Fold | None, cut: float) -> Fold:
    """Return the fold, which must exist.

    Raises:
        ProtocolError: There are no positive events on one of the cut's sides.
    """
    if fold is None:
        raise ProtocolError(
            f"There are no positive events on both sides of the cut at {cut}.", hint="Choose an earlier cut."
        )
    return fold


def cut_at(parts: Parts, within: Bool, cut: float) -> int | None:
    """Return the value at floor(cut x n) of the sorted timestamps of n positive events, None where n is 0."""
    ts = parts.ts[within & parts.positive]
    return int(ts[int(share(cut) * len(ts))]) if len(ts) else None


def time_fold(
    parts: Parts, within: Bool, cut: float, seen: Seen, *, name: str, held: list[Bool] | None = None
) -> Fold | None:
    """Return the fold of one cut through the events under ``within``, None where no positive event lies after it.

    Args:
        parts: The events.
        within: (N,) the events to split; the others do not exist.
        cut: The share of positive events up to the cut.
        seen: Whether what a person had counts.
        name: Of the fold.
        held: (n_users,) people who are asked but not learned from; a second mask is for the validation part.
    """
    instant = cut_at(parts, within, cut)
    if instant is None:
        return None
    before, after = within & (parts.ts <= instant), within & (parts.ts > instant)
    learned = before if held is None else before & ~held[0][parts.user_rows]
    old_items = parts.with_event(before)
    candidates = old_items | parts.in_catalogue(instant)
    targets = parts.targets(after)
    if not len(targets[0]):
        return None
    train = parts.dataset(learned, until=instant, known=candidates)
    history = train.interactions if held is None else parts.interactions(before)
    if held is not None:
        mine = held[0][targets[0]]
        targets = targets[0][mine], targets[1][mine]
    inner = None if held is None else held[1:] or None

    def validation() -> Fold | None:
        return time_fold(parts, learned, cut, seen, name=f"{name}/validation", held=inner)

    given = Given(train, history, candidates, old_items, instant)
    fold = assemble(name, given, targets, seen, now=at(instant), validation=validation)
    return replace(fold, by_time=held is None)
