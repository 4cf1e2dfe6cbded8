"""From what a person's warm items say to items without an event: neighbours, projections, and features of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array, Bool
from inkling.kernels.topk import topk_rows
from inkling.retrieval._taste import Taste

FEATURES = (
    *("narrow", "wide", "ridge", "profile", "nearest", "popular", "predicted"),
    *("fresh", "learned", "events", "strength"),
)
"""What the chance of an item without events is read from; each is one column of :meth:`Bridge.features`."""
NARROW, WIDE = 5, 50
_BLOCK = 512
_HISTORY = 20
_LEAST = 0.02
_LAMBDA = 10.0


class Kernel(NamedTuple):
    """For each of C cold items its K nearest warm items, the nearest first, and how near they are."""

    rows: I32  # (C, K) item rows
    near: F32  # (C, K)

    @classmethod
    def of(cls, cold: F32, warm: F32, warm_rows: I32, k: int = WIDE) -> Kernel:
        """Look for the nearest ``warm`` (W, d) of each of ``cold`` (C, d), a block at a time."""
        k = min(k, len(warm_rows))
        parts = [topk_rows(cold[at : at + _BLOCK] @ warm.T, k) for at in range(0, len(cold), _BLOCK)]
        rows = np.concatenate([found for found, _ in parts]) if parts else np.zeros((0, k), np.int32)
        near = np.concatenate([best for _, best in parts]) if parts else np.zeros((0, k), np.float32)
        return cls(warm_rows[rows].astype(np.int32), near.astype(np.float32))

    def weights(self, k: int, temperature: float = 0.1) -> F32:
        """Return the shares (C, k) of the k nearest: a softmax of how near they are; nothing where nothing is near."""
        near = self.near[:, :k]
        shares = np.exp((near - near.max(axis=1, keepdims=True, initial=0)) / np.float32(temperature))
        shares *= near > 0
        total = shares.sum(axis=1, keepdims=True)
        out: F32 = np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)
        return out

    def append(self, other: Kernel) -> Kernel:
        """Return the lists of both."""
        return Kernel(np.concatenate([self.rows, other.rows]), np.concatenate([self.near, other.near]))

    @classmethod
    def none(cls, n: int) -> Kernel:
        """Return ``n`` items without neighbours."""
        return cls(np.zeros((n, 0), np.int32), np.zeros((n, 0), np.float32))


class Mixed(NamedTuple):
    """The shares of a kernel, ready to be multiplied with scores."""

    rows: I32  # (C, k)
    shares: F32  # (C, k)

    @classmethod
    def of(cls, kernel: Kernel, k: int) -> Mixed:
        """Take the k nearest of each."""
        return cls(kernel.rows[:, :k], kernel.weights(k))

    def __call__(self, values: F32) -> F32:
        """Return the weighted means (C,) of ``values`` (n,)."""
        out: F32 = np.einsum("ck,ck->c", values[self.rows], self.shares)
        return out


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of n items without any event: their vectors, numbers, and when they came.

    ``vectors`` have length one, or zero where nothing is said; ``numbers`` are standardised, 0 where not known;
    ``born`` are timestamps, NaN where not known.
    """

    vectors: F32  # (n, d)
    numbers: F32  # (n, m)
    born: F64  # (n,)

    def grown(self, n: int, born: float) -> Facts:
        """Return a copy with room for ``n`` items; new ones came at ``born``."""
        more = max(n - len(self.vectors), 0)
        return Facts(
            np.concatenate([self.vectors, np.zeros((more, self.vectors.shape[1]), np.float32)]),
            np.concatenate([self.numbers, np.zeros((more, self.numbers.shape[1]), np.float32)]),
            np.concatenate([self.born, np.full(more, born)]),
        )

    def inputs(self, rows: I32 | None = None) -> F32:
        """Return what is learned from (R, d + m + 1): vectors, numbers and a one, of all items or of some."""
        vectors, numbers = (self.vectors, self.numbers) if rows is None else (self.vectors[rows], self.numbers[rows])
        return np.concatenate([vectors, numbers, np.ones((len(vectors), 1), np.float32)], axis=1)


class Asked(NamedTuple):
    """One question: the warm scores of all items, the taste that they rest on, and the moment."""

    scores: F32  # (n,)
    taste: Taste
    now: int
    n_events: int  # entries of the taste that are the person's own, not a text's


@dataclass(frozen=True, eq=False)
class Bridge:
    """What cold items are scored by: their warm neighbours by text and by learned vectors, and predicted popularity."""

    facts: Facts
    cold: I32  # (C,)
    warm: I32  # (W,)
    near: Kernel  # by text
    learned: Kernel  # by learned vectors; K = 0 where nothing is learned
    inverse: F32  # (d, d) of X'X + lambda over the warm items: projects scores onto text
    counts: F32  # (n,) log(1 + people)
    popularity: F32  # (d + m + 1,) ridge of counts on the facts
    day: float

    @classmethod
    def of(cls, facts: Facts, cold: I32, warm: I32, counts: F32, *, day: float, mapped: F32 | None = None) -> Self:
        """Prepare for ``cold`` items whose events nobody saw.

        Args:
            facts: Of all items.
            cold: Rows without events.
            warm: Rows with events and a vector.
            counts: (n,) log(1 + people who had it).
            day: Length of a day in timestamps' units.
            mapped: (n, e) learned vectors: warm items at their own place, cold ones where their text puts them.
        """
        x = facts.vectors[warm]
        inverse = np.linalg.inv(x.T @ x + np.float32(_LAMBDA) * np.eye(x.shape[1], dtype=np.float32))
        inputs = facts.inputs(warm)
        gram = inputs.T @ inputs + np.float32(_LAMBDA) * np.eye(inputs.shape[1], dtype=np.float32)
        popularity = np.linalg.solve(gram, inputs.T @ counts[warm]).astype(np.float32)
        learned = Kernel.none(len(cold)) if mapped is None else Kernel.of(mapped[cold], mapped[warm], warm, NARROW * 4)
        near = Kernel.of(facts.vectors[cold], x, warm)
        return cls(facts, cold, warm, near, learned, inverse.astype(np.float32), counts, popularity, day)

    def with_items(self, facts: Facts, rows: I32, mapped: Kernel | None = None) -> Bridge:
        """Return the bridge with further cold items, or with those whose texts changed."""
        kept = ~np.isin(self.cold, rows)
        near = Kernel.of(facts.vectors[rows], facts.vectors[self.warm], self.warm, self.near.rows.shape[1])
        return replace(
            self,
            facts=facts,
            cold=np.concatenate([self.cold[kept], rows]).astype(np.int32),
            near=Kernel(self.near.rows[kept], self.near.near[kept]).append(near),
            learned=Kernel(self.learned.rows[kept], self.learned.near[kept]).append(mapped or Kernel.none(len(rows))),
        )

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays that :meth:`from_arrays` takes."""
        facts = self.facts
        return {
            "vectors": facts.vectors.astype(np.float16),
            "numbers": facts.numbers,
            "born": facts.born,
            "cold": self.cold,
            "warm": self.warm,
            "near.rows": self.near.rows,
            "near.near": self.near.near,
            "learned.rows": self.learned.rows,
            "learned.near": self.learned.near,
            "inverse": self.inverse,
            "counts": self.counts,
            "popularity": self.popularity,
            "day": np.array([self.day]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Build from the arrays of :meth:`to_arrays`."""
        get = {name: np.asarray(arrays[name]) for name in ("cold", "warm", "inverse", "counts", "popularity", "born")}
        return cls(
            Facts(np.asarray(arrays["vectors"], np.float32), np.asarray(arrays["numbers"]), get["born"]),
            get["cold"],
            get["warm"],
            Kernel(np.asarray(arrays["near.rows"]), np.asarray(arrays["near.near"])),
            Kernel(np.asarray(arrays["learned.rows"]), np.asarray(arrays["learned.near"])),
            get["inverse"],
            get["counts"],
            get["popularity"],
            float(arrays["day"][0]),
        )

    def prepared(self) -> Ready:
        """Return the bridge with everything that no question changes worked out."""
        narrow, wide = Mixed.of(self.near, NARROW), Mixed.of(self.near, WIDE)
        learned = Mixed.of(self.learned, NARROW * 4) if self.learned.rows.shape[1] else None
        return Ready(
            self,
            narrow,
            wide,
            learned,
            np.stack([wide(self.counts), self.facts.inputs(self.cold) @ self.popularity]),
            self.facts.vectors[self.cold],
            self.facts.vectors[self.warm],
            np.isfinite(self.facts.born[self.cold]),
        )


@dataclass(frozen=True, eq=False)
class Ready:
    """A bridge with everything that no question changes worked out."""

    bridge: Bridge
    narrow: Mixed
    wide: Mixed
    learned: Mixed | None
    fixed: F32  # (2, C) popularity of the neighbours, and by ridge
    vectors: F32  # (C, d)
    warm: F32  # (W, d)
    dated: Bool  # (C,)

    def features(self, asked: Asked) -> F32:
        """Return (C, len(FEATURES)): everything that speaks for a cold item."""
        bridge, scores = self.bridge, asked.scores
        top = top_of(scores)
        out = np.zeros((len(FEATURES), len(bridge.cold)), np.float32)
        out[0], out[1] = relative(self.narrow(scores), top), relative(self.wide(scores), top)
        out[2] = self.vectors @ (bridge.inverse @ (self.warm.T @ scores[bridge.warm])) / top
        out[3:5] = self.by_text(asked.taste, self.vectors)
        out[5:7] = self.fixed
        if self.dated.any():
            ages = np.maximum(asked.now - bridge.facts.born[bridge.cold], 0) / bridge.day
            out[7] = np.where(self.dated, np.log1p(ages), 0)
        if self.learned is not None:
            out[8] = relative(self.learned(scores), top)
        out[9], out[10] = np.log1p(asked.n_events), np.log(top)
        return out.T

    def about(self, asked: Asked, rows: I32) -> F32:
        """Return what is known of warm items beside their scores (R, 4): text, nearest text, popularity, had before."""
        rows = np.minimum(rows, len(self.bridge.facts.vectors) - 1)
        near = self.by_text(asked.taste, self.bridge.facts.vectors[rows])
        had = np.isin(rows, asked.taste.rows).astype(np.float32)
        return np.stack([*near, self.bridge.counts[np.minimum(rows, len(self.bridge.counts) - 1)], had], axis=1)

    def by_text(self, taste: Taste, theirs: F32) -> F32:
        """Return the cosines of vectors (N, d) with a person's mean text, and with the nearest of their last (2, N)."""
        vectors = self.bridge.facts.vectors
        known = taste.rows < len(vectors)
        rows, weights = taste.rows[known], taste.weights[known]
        if not len(rows):
            return np.zeros((2, len(theirs)), np.float32)
        profile = weights @ vectors[rows]
        length = float(np.sqrt(profile @ profile)) or 1.0
        last = rows[np.argsort(-weights, kind="stable")[:_HISTORY]]
        return np.stack([theirs @ profile / np.float32(length), (theirs @ vectors[last].T).max(axis=1)])


def top_of(scores: F32) -> np.float32:
    """Return what a person's best items score, above 0."""
    best = np.partition(scores, -5)[-5:] if len(scores) > 5 else scores
    return np.float32(max(float(best.mean()) if len(best) else 0.0, 1e-9))


def relative(scores: F32, top: np.float32) -> F32:
    """Return the logarithm of scores beside what the best items have."""
    found: F32 = np.log(np.maximum(scores / top, 0) + np.float32(_LEAST))
    return found
