"""For any log: the split agrees with a slow, obvious twin, and nothing of the future is learned."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.errors import ProtocolError
from inkling.testing.logs import candidates, folds_of, histories, targets, trained

LOGS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from("vwxyz"), st.integers(0, 12), st.sampled_from(["buy", "view"])),
    min_size=2,
    max_size=40,
)


def twin(rows, cut, *, drop):
    """Return the cut, the training rows and the targets, by loops."""
    ordered = sorted(rows, key=lambda row: row[2])
    times = [row[2] for row in ordered if row[3] == "buy"]
    if not times:
        return None
    instant = times[math.floor(Fraction(cut) * len(times))]
    unique = list(dict.fromkeys(ordered))
    before = [row for row in unique if row[2] <= instant]
    wanted: dict[str, set[str]] = {}
    for user, item, time, event in unique:
        had = any(row[:2] == (user, item) for row in before)
        if time > instant and event == "buy" and not (drop and had):
            wanted.setdefault(user, set()).add(item)
    return instant, before, wanted


@settings(deadline=None, max_examples=60)
@given(rows=LOGS, cut=st.sampled_from(["0.5", "0.7", "0.9"]), drop=st.booleans())
def test_time_equals_its_slow_twin(rows, cut, drop):
    slow = twin(rows, cut, drop=drop)
    try:
        (fold,) = folds_of(rows, cuts=(float(cut),), seen="drop" if drop else "keep")
    except ProtocolError:
        assert slow is None or not slow[2]
        return
    instant, before, wanted = slow
    assert fold.cut == instant
    assert trained(fold) == [user + item for user, item, _, _ in before]
    assert {user: set(items) for user, items in targets(fold).items()} == wanted
    assert candidates(fold) == "".join(sorted({row[1] for row in before}))
    assert fold.n_unreachable == sum(item not in candidates(fold) for items in wanted.values() for item in items)


@settings(deadline=None, max_examples=60)
@given(rows=LOGS)
def test_replay_knows_exactly_what_came_before(rows):
    try:
        (fold,) = folds_of(rows, split="replay", cuts=(0.5,))
    except ProtocolError:
        return
    unique = list(dict.fromkeys(sorted(rows, key=lambda row: row[2])))
    asked = [n for n, row in enumerate(unique) if row[2] > fold.cut and row[3] == "buy"]
    expected = ["".join(row[1] for row in unique[:n] if row[0] == unique[n][0]) for n in asked]
    assert histories(fold) == expected
    for number, n in enumerate(asked):
        known = {row[1] for row in unique[:n]}
        import numpy as np

        allowed = fold.query(np.array([number])).allowed
        assert {key for key, yes in zip(fold.train.item_ids, allowed, strict=True) if yes} == known


@settings(deadline=None, max_examples=60)
@given(rows=LOGS)
def test_loo_holds_out_what_is_not_learned(rows):
    try:
        (fold,) = folds_of(rows, split="loo")
    except ProtocolError:
        return
    for user, items in targets(fold).items():
        mine = [row for row in dict.fromkeys(sorted(rows, key=lambda row: row[2])) if row[0] == user]
        bought = [row[1] for row in mine if row[3] == "buy"]
        assert bought[-1] in items
        n_learned = sum(pair[0] == user for pair in trained(fold))
        assert n_learned < len(mine) - 1
