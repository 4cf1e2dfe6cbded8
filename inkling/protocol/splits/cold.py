"""Cold items: each fold of items leaves every training and history event, and is then to be found by its catalogue row.

Three folds for each fold of items: ranked among all items (groups ``cold`` and ``warm``), ranked among the held-out
items (``cold_among_cold``), and the warm targets of the same people by a model that nothing was hidden from
(``warm_full``), ranked among the other items: what ``warm`` loses against it is the price of the cold ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from inkling.core.arrays import I32, I64, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold, Group, restricted
from inkling.protocol.parts import Parts
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits.assemble import Given, after_last_event, assemble, at, buckets
from inkling.protocol.splits.loo import find_ends
from inkling.protocol.splits.time import cut_at, required


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """The split that the items are hidden in: masks (N,) of what is learned and shown, and the targets' rows."""

    name: str
    learned: Bool
    shown: Bool
    targets: tuple[I32, I32]
    candidates: Bool
    until: int
    inner: Callable[[Bool], Base | None]
    by_time: bool = False

    def clock(self, history: Interactions) -> Callable[[I32], I64]:
        """Return when people are asked."""
        return at(self.until) if self.by_time else after_last_event(history, otherwise=self.until)


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return three folds for each fold of items, for each cut where the base is time."""
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    number_of_item = buckets(parts.item_ids, spec.cold_folds)
    everything = np.ones(len(parts), dtype=np.bool_)
    out: list[Fold] = []
    if parts.scenario.time != "real":
        return _of_base(parts, _loo_base(parts, everything), seen, number_of_item)
    for cut in spec.cuts:
        base = _time_base(parts, everything, cut)
        if base is not None:
            out += _of_base(parts, base, seen, number_of_item)
        else:
            required(None, cut)
    return out


def _of_base(parts: Parts, base: Base, seen: Seen, number_of_item: I32) -> list[Fold]:
    full = parts.dataset(base.learned, until=base.until, known=base.candidates)
    out: list[Fold] = []
    for number in range(int(number_of_item.max()) + 1):
        hidden = _hidden_fold(parts, base, seen, number_of_item, number)
        if hidden is not None:
            out += [
                hidden,
                _among_hidden(hidden, number_of_item == number),
                _nothing_hidden(parts, base, hidden, (full, number_of_item != number)),
            ]
    return out


def _hidden_fold(parts: Parts, base: Base, seen: Seen, number_of_item: I32, number: int) -> Fold | None:
    hide = number_of_item == number
    visible = ~hide[parts.item_rows]
    learned = base.learned & visible
    train = parts.dataset(learned, until=base.until, known=base.candidates)
    history = parts.interactions(base.shown & visible)
    old_items = parts.with_event(base.shown)
    given = Given(train, history, base.candidates, old_items, base.until)

    def validation() -> Fold | None:
        inner = base.inner(learned)
        following = (number + 1) % (int(number_of_item.max()) + 1)
        return None if inner is None else _hidden_fold(parts, inner, seen, number_of_item, following)

    name = f"{base.name}/items-{number}"
    fold = assemble(name, given, base.targets, seen, now=base.clock(history), validation=validation)
    return replace(fold, groups=_cold_groups(fold, hide)) if len(fold) else None


def _cold_groups(fold: Fold, hide: Bool) -> dict[str, Group]:
    owners = np.repeat(np.arange(len(fold)), np.diff(fold.targets.offsets))
    known = np.isin(owners, fold.groups["warm"].people)
    cold = hide[fold.targets.values]
    return {"cold": restricted(fold.targets, known & cold), "warm": restricted(fold.targets, known & ~cold)}


def _among_hidden(fold: Fold, hide: Bool) -> Fold:
    cold = fold.groups["cold"]
    return replace(
        fold,
        name=f"{fold.name}/among-held-out",
        groups={"cold_among_cold": Group(np.arange(len(cold.people)), cold.targets)},
        candidates=fold.candidates & hide,
        user_rows=fold.user_rows[cold.people],
        targets=cold.targets,
        now=fold.now[cold.people],
        n_unreachable=int((~(fold.candidates & hide)[cold.targets.values]).sum()),
        make_validation=lambda: fold.validation,
    )


def _nothing_hidden(parts: Parts, base: Base, fold: Fold, full: tuple[Dataset, Bool]) -> Fold:
    """Rank among the other items only: held-out ones, of which no target is asked here, would be misses by decree."""
    warm, candidates = fold.groups["warm"], fold.candidates & full[1]
    return replace(
        fold,
        name=f"{fold.name}/nothing-hidden",
        train=full[0],
        candidates=candidates,
        history=parts.interactions(base.shown),
        groups={"warm_full": Group(np.arange(len(warm.people)), warm.targets)},
        user_rows=fold.user_rows[warm.people],
        targets=warm.targets,
        now=fold.now[warm.people],
        n_unreachable=int((~candidates[warm.targets.values]).sum()),
        make_validation=lambda: fold.validation,
    )


def _time_base(parts: Parts, within: Bool, cut: float) -> Base | None:
    instant = cut_at(parts, within, cut)
    if instant is None:
        return None
    before, after = within & (parts.ts <= instant), within & (parts.ts > instant)
    candidates = parts.with_event(before) | parts.in_catalogue(instant)
    targets = parts.targets(after)
    if not len(targets[0]):
        return None
    return Base(
        f"cold@{cut}",
        before,
        before,
        targets,
        candidates,
        instant,
        lambda learned: _time_base(parts, learned, cut),
        by_time=True,
    )


def _loo_base(parts: Parts, within: Bool) -> Base:
    ends, position = find_ends(parts, within), np.arange(len(parts))
    early = within & (position < ends.validation[parts.user_rows])
    late = within & (position < ends.test[parts.user_rows])
    held_out = ends.test[parts.user_rows] < np.iinfo(np.int64).max
    candidates = parts.with_event(late) | parts.in_catalogue(None)
    until = int(parts.ts[early].max(initial=0))

    def inner(learned: Bool) -> Base:
        targets = parts.targets(within & ~early & late & held_out)
        return Base("cold-loo", learned, learned, targets, candidates, until, lambda _: None)

    targets = parts.targets(within & ~late & held_out)
    return Base("cold-loo", early, late, targets, candidates, until, inner)
