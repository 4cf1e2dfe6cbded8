"""At random, 80/10/10: only for data that has neither times nor an order. Elsewhere the future would train the past."""

from __future__ import annotations

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.scenario import Seen
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Parts
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits.assemble import Given, assemble, at


def folds(parts: Parts, spec: ProtocolSpec) -> list[Fold]:
    """Return the one fold of the seeded split; its training part is the 80% for validation and test alike."""
    seen: Seen = "drop" if spec.seen == "drop" else "keep"
    positive = np.flatnonzero(parts.clean_positive)
    shuffled = np.random.default_rng(spec.split_seed).permutation(positive)
    n_train, n_valid = len(positive) * 8 // 10, len(positive) * 9 // 10
    valid, test = _mask(parts, shuffled[n_train:n_valid]), _mask(parts, shuffled[n_valid:])
    learned = ~(valid | test) & ~_beside(parts, valid | test)
    until = int(parts.ts.max(initial=0))
    old_items = parts.with_event(learned)
    candidates = old_items | parts.in_catalogue(None)
    train = parts.dataset(learned, until=until, known=candidates)
    given = Given(train, train.interactions, candidates, old_items, until)

    def one(name: str, asked: Bool, inner: Fold | None) -> Fold:
        return assemble(name, given, parts.targets(asked), seen, now=at(until), validation=lambda: inner)

    return [one("random", test, one("random/validation", valid, None))]


def _mask(parts: Parts, positions: np.ndarray) -> Bool:
    mask = np.zeros(len(parts), dtype=np.bool_)
    mask[positions] = True
    return mask


def _beside(parts: Parts, held_out: Bool) -> Bool:
    """Return the other events (a view) of a held-out person and item: without an order, one may have come after."""
    keys = parts.user_rows.astype(np.int64) * parts.n_items + parts.item_rows
    return ~parts.positive & np.isin(keys, keys[held_out])
