"""Values explained by people, items and what both have in common: biases and factors, people folded in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array

_CHUNK = 100_000  # values whose outer products are held at once


@dataclass(frozen=True)
class Shrink:
    """How strongly little evidence is drawn to nothing, in values; and how many factors there are."""

    item: float
    person: float
    factor: float
    dim: int
    rounds: int


@dataclass(frozen=True)
class Told:
    """Values that people gave to items, person after person."""

    offsets: I64  # (B + 1,)
    items: I64  # (N,)
    values: F64  # (N,)

    @property
    def owners(self) -> I64:
        """Return the person (N,) of each value."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int64), np.diff(self.offsets))

    @classmethod
    def of(cls, offsets: I64, items: I32 | I64, values: F32, *, n_items: int) -> Self:
        """Return the values that are known, of items that are."""
        known = np.isfinite(values) & (items < n_items)
        kept = np.concatenate([[0], np.cumsum(known)])[offsets]
        return cls(kept.astype(np.int64), items[known].astype(np.int64), values[known].astype(np.float64))


@dataclass(frozen=True)
class Biases:
    """A value = mean + what the person gives + what the item gets + p.q (Koren, Bell and Volinsky 2009)."""

    mean: float
    items: F64  # (n_items,)
    counts: F64  # (n_items,)
    factors: F64  # (n_items, dim)

    @classmethod
    def learn(cls, told: Told, n_items: int, shrink: Shrink, rng: np.random.Generator) -> Self:
        """Learn by turns: people given items, items given people; then factors of what is left, likewise."""
        mean = float(told.values.mean()) if len(told.values) else 0.0
        counts = np.bincount(told.items, minlength=n_items).astype(np.float64)
        own = cls(mean, np.zeros(n_items), counts, np.zeros((n_items, 0)))
        for _ in range(shrink.rounds):
            rest = told.values - mean - own.people(told, shrink)[told.owners]
            own = cls(mean, np.bincount(told.items, rest, n_items) / (counts + shrink.item), counts, own.factors)
        if not shrink.dim or not len(told.values):
            return own
        rest = told.values - mean - own.people(told, shrink)[told.owners] - own.items[told.items]
        by_item = np.argsort(told.items, kind="stable")
        item_offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        factors = rng.normal(0, 0.1, (n_items, shrink.dim))
        for _ in range(shrink.rounds):
            people = solved(factors[told.items], rest, told.offsets, shrink.factor)
            factors = solved(people[told.owners][by_item], rest[by_item], item_offsets, shrink.factor)
        return cls(mean, own.items, counts, factors)

    def people(self, told: Told, shrink: Shrink) -> F64:
        """Return what each person (B,) gives above or below the mean, given the items."""
        rest = told.values - self.mean - self.items[told.items]
        n = len(told.offsets) - 1
        given: F64 = np.bincount(told.owners, rest, n) / (np.diff(told.offsets) + shrink.person)
        return given

    def columns(self, told: Told, shrink: Shrink, people: I64, item_rows: I32) -> F64:
        """Return (N, 5) of candidates: what the person gives, what the item gets, p.q, what is known of both."""
        inside = item_rows < len(self.items)
        rows = np.where(inside, item_rows, 0)
        bias = self.people(told, shrink)
        rest = told.values - self.mean - bias[told.owners] - self.items[told.items]
        taste = solved(self.factors[told.items], rest, told.offsets, shrink.factor)
        near = (taste[people] * self.factors[rows]).sum(axis=1)
        seen = np.log1p(np.diff(told.offsets))[people]
        columns = [bias[people], self.items[rows] * inside, near * inside, seen, np.log1p(self.counts[rows]) * inside]
        return np.stack(columns, axis=1)

    def state(self) -> dict[str, Array]:
        """Return everything as arrays."""
        return {
            "biases.mean": np.array([self.mean]),
            "biases.items": self.items,
            "biases.counts": self.counts,
            "biases.factors": self.factors,
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        kept = [np.array(state[f"biases.{key}"]) for key in ("items", "counts", "factors")]
        return cls(float(state["biases.mean"][0]), *kept)


def solved(vectors: F64, targets: F64, offsets: I64, l2: float) -> F64:
    """Return (G, d) the ridge regression of each segment: argmin |V b - t|^2 + l2 (n + 1) |b|^2; 0 where it is empty.

    Args:
        vectors: (N, d).
        targets: (N,).
        offsets: (G + 1,).
        l2: Regularisation for each value of a segment (weighted-lambda regularisation, Zhou et al. 2008).
    """
    n_groups, dim = len(offsets) - 1, vectors.shape[1]
    out = np.zeros((n_groups, dim))
    there = np.flatnonzero(np.diff(offsets))
    if not dim or not len(there):
        return out
    ends = offsets[there + 1]
    cuts = np.flatnonzero(np.diff(ends // _CHUNK, prepend=-1))
    for chosen in np.split(there, cuts[1:]):
        start, stop = int(offsets[chosen[0]]), int(offsets[chosen[-1] + 1])
        own, at = vectors[start:stop], offsets[chosen] - start
        gram = np.add.reduceat(own[:, :, None] * own[:, None, :], at, axis=0)
        right = np.add.reduceat(own * targets[start:stop, None], at, axis=0)
        weight = l2 * (offsets[chosen + 1] - offsets[chosen] + 1.0)
        out[chosen] = np.linalg.solve(gram + weight[:, None, None] * np.eye(dim), right[:, :, None])[:, :, 0]
    return out
