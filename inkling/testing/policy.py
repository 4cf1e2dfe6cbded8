"""What every policy keeps: subclass :class:`PolicyContract` in a test, name the policy, and pytest does the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from inkling.core.arrays import Bool
from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.policy import build
from inkling.policy.base import Policy, PolicyContext
from inkling.testing.capability import has

N_ITEMS = 20


def context(seed: int = 0) -> PolicyContext:
    """Return what policies know of twenty toy items: vectors, pairs of variants, and the filter {"even": ...}."""
    vectors = np.random.default_rng(seed).normal(size=(N_ITEMS, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return PolicyContext(vectors=vectors, groups=np.arange(N_ITEMS, dtype=np.int32) // 2, resolve=_resolve)


def _resolve(where: Mapping[str, Any]) -> Bool:
    return np.asarray(np.arange(N_ITEMS) % 2 == (0 if where["even"] else 1))


def question(n: int = 4) -> tuple[Query, Candidates]:
    """Return ``n`` people who had one to three items, and twelve candidates of each, best first."""
    rng = np.random.default_rng(5)
    had = Jagged.from_lists([rng.choice(N_ITEMS, 1 + person % 3, replace=False).tolist() for person in range(n)])
    days = np.arange(len(had.values), dtype=np.int64) * 86_400_000
    history = History.of_items(had, ts=days)
    query = Query(history, np.full(n, 10 * 86_400_000), N_ITEMS, np.arange(n, dtype=np.int32))
    rows = np.concatenate([rng.permutation(N_ITEMS)[:12] for _ in range(n)]).astype(np.int32)
    scores = np.sort(rng.random((n, 12)).astype(np.float32), axis=1)[:, ::-1].ravel()
    items = Candidates.of(np.arange(n + 1, dtype=np.int64) * 12, rows, scores, source="toy")
    return query, items.with_fields({"mark": rows.astype(np.float32) * 10})


class PolicyContract:
    """The contract of a policy as tests. ``name`` is the registered name."""

    name: ClassVar[str]
    settings: ClassVar[Mapping[str, Any]] = {}

    def make(self) -> Any:
        """Return the policy with the toy context."""
        return build(self.name, self.settings, context())

    def test_is_a_policy(self) -> None:
        """The protocol holds, and the policy knows its own name and settings."""
        policy = self.make()
        assert has(policy, Policy)
        assert policy.name == self.name
        assert isinstance(policy.config, type(policy).Config)

    def test_columns_follow(self) -> None:
        """No item comes twice, every list stays its person's, and columns stay with their items."""
        query, items = question()
        after = self.make().apply(query, items)
        assert len(after) == len(items)
        assert after.item_rows.dtype == np.int32
        assert after.scores.dtype == np.float32
        for person in range(len(query)):
            rows = after.rows_of(person)
            assert len(rows) == len(set(rows.tolist()))
        known = ~np.isnan(after.fields["mark"])
        assert (after.fields["mark"][known] == after.item_rows[known] * 10).all()
        assert known.sum() >= len(after.item_rows) - len(query)

    def test_batch_equals_single(self) -> None:
        """One person or many: the same answers."""
        query, items = question()
        together = self.make().apply(query, items)
        for person in range(len(query)):
            own = items.select(np.arange(person * 12, person * 12 + 12), np.array([0, 12]))
            alone = self.make().apply(query.take([person]), own)
            assert alone.item_rows.tolist() == together.rows_of(person).tolist()
            assert alone.scores.tolist() == together.scores_of(person).tolist()

    def test_deterministic(self) -> None:
        """The same question has the same answer."""
        query, items = question()
        first, second = (self.make().apply(query, items) for _ in range(2))
        assert first.item_rows.tolist() == second.item_rows.tolist()

    def test_unknown_people(self) -> None:
        """People without a history get an answer."""
        _, items = question()
        nobody = Query(History.empty(4), np.zeros(4, dtype=np.int64), N_ITEMS, np.full(4, -1, dtype=np.int32))
        assert len(self.make().apply(nobody, items)) == 4

    def test_no_candidates(self) -> None:
        """Nothing to order is a valid question."""
        query, _ = question()
        after = self.make().apply(query, Candidates.empty(4))
        assert len(after) == 4

    def test_applied_twice(self) -> None:
        """What a policy removed stays removed, and what it kept stays kept."""
        query, items = question()
        once = self.make().apply(query, items)
        twice = self.make().apply(query, once)
        for person in range(len(query)):
            assert sorted(twice.rows_of(person)) == sorted(once.rows_of(person))

    def test_without_a_context(self) -> None:
        """A policy can be made without a context; what it does not know it leaves alone or names in an error."""
        policy = build(self.name)
        query, items = question()
        assert len(policy.apply(query, items)) == len(items)
