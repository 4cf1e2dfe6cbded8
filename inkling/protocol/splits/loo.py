"""Leave one out: each person's last event is the target, the one before it validates. Flattering, but widely used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from inkling.core.arrays import I64, Bool
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits.assemble import Given, after_last_event, assemble, buckets

_NEVER = np.iinfo(np.int64).max
_MIN_EVENTS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Where each person's last two units begin, as positions in the events; ``_NEVER`` where nothing is held out."""

    validation: I64  # (n_users,)
    test: I64  # (n_users,)


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return one fold, or one for each fold of people."""
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    everything = np.ones(len(parts), dtype=np.bool_)
    if not spec.folds:
        return [loo_fold(parts, everything, seen, name="loo")]
    fold_of_user = buckets(parts.user_ids, spec.folds)
    return [
        loo_fold(parts, everything, seen, name=f"loo/people-{number}", held=(fold_of_user == number))
        for number in range(spec.folds)
    ]


def loo_fold(parts: Parts, within: Bool, seen: Seen, *, name: str, held: Bool | None = None) -> Fold:
    """Return the fold over the events under ``within``; ``held`` (n_users,) are asked but not learned from."""
    ends = find_ends(parts, within)
    position = np.arange(len(parts))
    early = within & (position < ends.validation[parts.user_rows])
    late = within & (position < ends.test[parts.user_rows])
    learned = early if held is None else early & ~held[parts.user_rows]
    old_items = parts.with_event(late)
    candidates = old_items | parts.in_catalogue(None)
    until = int(parts.ts[learned].max(initial=0))
    train = parts.dataset(learned, until=until, known=parts.with_event(learned) | parts.in_catalogue(None))

    def one(label: str, shown: Bool, asked: Bool, inner: Fold | None) -> Fold:
        history = parts.interactions(shown)
        given = Given(train, history, candidates, old_items, until)
        mine = asked if held is None else asked & held[parts.user_rows]
        clock = after_last_event(history, otherwise=until)
        return assemble(label, given, parts.targets(mine), seen, now=clock, validation=lambda: inner)

    held_out = ends.test[parts.user_rows] < _NEVER
    inner = one(f"{name}/validation", early, within & ~early & late & held_out, None)
    return one(name, late, within & ~late & held_out, inner)


def find_ends(parts: Parts, within: Bool) -> Ends:
    """Return where the last unit (test) and the one before it (validation) of each person begin.

    A unit is one positive event. Where a person's last positive events share one timestamp (one invoice), it is their
    last session. People with fewer than 3 positive events, or with nothing before the two units, hold out nothing.
    """
    chosen = np.flatnonzero(within & parts.clean_positive)
    users = parts.user_rows[chosen]
    order = np.argsort(users, kind="stable")
    chosen, users = chosen[order], users[order]
    starts = np.searchsorted(users, np.arange(parts.n_users + 1))
    ends = Ends(np.full(parts.n_users, _NEVER), np.full(parts.n_users, _NEVER))
    for user in np.flatnonzero(np.diff(starts) >= _MIN_EVENTS).tolist():
        mine = chosen[starts[user] : starts[user + 1]]
        last = _last_unit(parts, mine)
        before = _last_unit(parts, mine[:last]) if last > 0 else 0
        if before > 0:
            ends.validation[user], ends.test[user] = mine[before], mine[last]
    return ends


def _last_unit(parts: Parts, mine: I64) -> int:
    """Return where the last unit of a person's positive events begins, 0 where it is all of them."""
    if len(mine) < 2 or parts.ts[mine[-1]] != parts.ts[mine[-2]]:
        return len(mine) - 1
    sessions = parts.session_rows
    same = sessions[mine] == sessions[mine[-1]] if sessions[mine[-1]] >= 0 else parts.ts[mine] == parts.ts[mine[-1]]
    others = np.flatnonzero(~same)
    return int(others[-1]) + 1 if len(others) else 0
