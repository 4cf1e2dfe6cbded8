"""Prequential: after the cut, each positive event is first a question, then known. Where freshness shows."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import I64, Bool
from inkling.core.dataset import Interactions
from inkling.core.jagged import Jagged
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold, groups_by_history, restricted
from inkling.protocol.parts import Parts
from inkling.protocol.replay import ReplayFold
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits.time import required, time_fold


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return a replay for each cut; settings are chosen on the time split's validation inside the training part."""
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    return [_replay(parts, cut, seen) for cut in spec.cuts]


def _replay(parts: Parts, cut: float, seen: Seen) -> ReplayFold:
    everything = np.ones(len(parts), dtype=np.bool_)
    base = required(time_fold(parts, everything, cut, seen, name=f"replay@{cut}"), cut)
    before = parts.ts <= base.cut
    old_items = parts.with_event(before)
    log = parts.log(before, ~before)
    exists_from = _exists_from(parts, log)
    asked = np.flatnonzero(log.positive & (log.ts > base.cut))
    n_before, had = _before(log)
    if seen == "drop":
        n_left_out = int(had[asked].sum())
        asked = asked[~had[asked]]
    else:
        n_left_out = 0
    targets = Jagged(np.arange(len(asked) + 1, dtype=np.int64), log.item_rows[asked])
    reachable = exists_from[log.item_rows[asked]] <= asked
    groups = groups_by_history(targets, n_before[asked])
    groups["new_items"] = restricted(targets, ~old_items[log.item_rows[asked]])
    return ReplayFold(
        name=base.name,
        train=base.train,
        user_rows=log.user_rows[asked],
        history=log,
        targets=targets,
        groups=groups,
        candidates=exists_from < len(log),
        now=log.ts[asked],
        cut=base.cut,
        seen=seen,
        by_time=True,
        n_unreachable=int((~reachable).sum()),
        n_left_out=n_left_out,
        make_validation=base.make_validation,
        asked=asked,
        exists_from=exists_from,
    )


def _exists_from(parts: Parts, log: Interactions) -> I64:
    """Return the first position in the log (n_items,) that finds each item there; beyond its end where none does."""
    exists = np.full(parts.n_items, len(log) + 1, dtype=np.int64)
    np.minimum.at(exists, log.item_rows, np.arange(1, len(log) + 1))
    listed = parts.in_catalogue(None)
    created = np.searchsorted(log.ts, parts.created_at, side="left")
    exists[listed] = np.minimum(exists[listed], created[listed])
    return exists


def _before(log: Interactions) -> tuple[I64, Bool]:
    """Return for each event (N,) how many the person had before, and whether one of them was of the same item."""
    order = np.argsort(log.user_rows, kind="stable")
    users = log.user_rows[order]
    n_before = np.empty(len(log), dtype=np.int64)
    n_before[order] = np.arange(len(log)) - np.searchsorted(users, users)
    keys = log.user_rows.astype(np.int64) * (int(log.item_rows.max(initial=0)) + 1) + log.item_rows
    had = np.ones(len(log), dtype=np.bool_)
    had[np.unique(keys, return_index=True)[1]] = False
    return n_before, had
