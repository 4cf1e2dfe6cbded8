"""As given: the column ``split`` of the source says what is train, valid and test."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.errors import ProtocolError
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits.assemble import Given, after_last_event, assemble


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return the one fold of the source's own split, trained on its train rows.

    People all of whose events lie in test are windows: their last positive event is the target, the rest is history.

    Raises:
        ProtocolError: There is no column ``split``, or nothing in it is train or test.
    """
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    train_mask, valid, test = _marked(parts)
    until = int(parts.ts[train_mask].max(initial=0))
    old_items = parts.with_event(train_mask)
    train = parts.dataset(train_mask, until=until, known=old_items | parts.in_catalogue(None))

    def one(name: str, asked: Bool, before: Bool, inner: Fold | None) -> Fold:
        first, targets = _windows(parts, asked)
        shown = before | first
        history, old = parts.interactions(shown), parts.with_event(shown)
        given = Given(train, history, old | parts.in_catalogue(None), old, until)
        clock = after_last_event(history, otherwise=until)
        return assemble(name, given, parts.targets(targets), seen, now=clock, validation=lambda: inner)

    inner = one("given/validation", valid, train_mask, None) if valid.any() else None
    return [one("given", test, train_mask | valid, inner)]


def _marked(parts: Parts) -> tuple[Bool, Bool, Bool]:
    if parts.split is None:
        raise ProtocolError(
            "Split 'given' was asked for, but the events have no column split.", hint="Use another split."
        )
    train, valid, test = (parts.split == name for name in ("train", "valid", "test"))
    if not train.any() or not test.any():
        found = ", ".join(sorted(set(parts.split.tolist()))) or "nothing"
        raise ProtocolError(f"The column split must hold train and test (and may hold valid); it holds {found}.")
    return train, valid, test


def _windows(parts: Parts, asked: Bool) -> tuple[Bool, Bool]:
    """Return what is history and what is target among the events asked about."""
    elsewhere = np.zeros(parts.n_users, dtype=np.bool_)
    elsewhere[parts.user_rows[~asked]] = True
    in_window = asked & ~elsewhere[parts.user_rows]
    last = np.full(parts.n_users, -1, dtype=np.int64)
    positions = np.flatnonzero(in_window & parts.clean_positive)
    last[parts.user_rows[positions]] = positions
    final = last[parts.user_rows]
    position = np.arange(len(parts))
    targets = (asked & ~in_window) | (in_window & (position == final))
    return in_window & (position < final), targets
