"""What a person's events say about kinds of things: which they choose more than others do, and rate above or below."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from inkling.core.arrays import F64, I32, I64, Bool
from inkling.core.dataset import Dataset
from inkling.core.query import History

_YEAR = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")
_YEAR_COLUMNS = ("year", "released", "release_date", "published")
_PRIOR = 3.0  # events of an average person that each count begins with
_FOND, _AVERSE = 0.15, -0.15


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a person thinks of a kind of thing.

    Attributes:
        name: The kind, in the data's own words.
        n: How many of their events are of it.
        score: Above 0 they seek it and value it, below 0 they value it less or avoid it.
    """

    name: str
    n: int
    score: float


@dataclass(frozen=True)
class Kinds:
    """Items by kind (a category or a decade): names, (n_items, n_kinds) membership, and how common each is."""

    names: tuple[str, ...]
    matrix: Any  # (n_items, n_kinds) sparse
    share: F64  # (n_kinds,) of all positive events

    @classmethod
    def of(cls, kinds: list[list[str]], data: Dataset) -> Kinds:
        """Take the kinds of each item, and count them over the positive events of ``data``."""
        from scipy import sparse

        names = tuple(sorted({name for row in kinds for name in row}))
        column = {name: i for i, name in enumerate(names)}
        rows = [row for row, own in enumerate(kinds) for _ in dict.fromkeys(own)]
        columns = [column[name] for own in kinds for name in dict.fromkeys(own)]
        shape = (len(kinds), len(names))
        matrix = sparse.csr_matrix((np.ones(len(rows)), (rows, columns)), shape=shape)
        events = data.interactions
        each = np.bincount(events.item_rows[events.positive], minlength=len(kinds))[: len(kinds)]
        share = np.asarray(matrix.T @ each).ravel() / max(int(each.sum()), 1)
        return cls(names, matrix, share)

    def opinions(self, rows: I32, signs: F64, positive: Bool) -> list[Opinion]:
        """Return what N events say of each kind, most sought first.

        A score is how much more often than everybody the person chooses the kind (in logarithms, with a prior of some
        average events), and half of that again for how they value it against their own mean.
        """
        own = self.matrix[rows]
        chosen = (
            np.asarray(own[positive].T @ np.ones(int(positive.sum()))).ravel() if positive.any() else 0 * self.share
        )
        n = np.asarray(own.sum(axis=0)).ravel()
        felt = np.asarray(own.T @ signs).ravel() / (n + _PRIOR)
        total = max(int(positive.sum()), 1)
        sought = np.log((chosen + _PRIOR * self.share + 1e-3) / ((total + _PRIOR) * self.share + 1e-3))
        score = sought * np.minimum(total / 10, 1) + 0.5 * felt
        order = np.argsort(-score, kind="stable").tolist()
        told = [i for i in order if n[i] > 0 or (total >= 20 and self.share[i] > 0.05)]
        return [Opinion(self.names[i], int(n[i]), round(float(score[i]), 4)) for i in told]


@dataclass(frozen=True)
class Tastes:
    """Categories and decades of a catalogue, ready to be asked about people."""

    data: Dataset

    @cached_property
    def categories(self) -> Kinds:
        """Return the catalogue's categories."""
        frame = self.data.items.frame
        lists = frame["categories"].to_list() if "categories" in frame.columns else [None] * self.data.n_items
        return Kinds.of([_names(own) for own in lists], self.data)

    @cached_property
    def decades(self) -> Kinds:
        """Return the decades of the items whose title or date tells a year."""
        return Kinds.of([[decade] if decade else [] for decade in self._decades()], self.data)

    def _decades(self) -> list[str]:
        frame = self.data.items.frame
        columns = [frame[name].to_list() for name in (*_YEAR_COLUMNS, "title") if name in frame.columns]
        return [next(filter(None, map(_decade, row)), "") for row in zip(*columns, strict=True)] or [""] * len(frame)


def signs(history: History) -> F64:
    """Return (N,) how far each event is above or below the person's own mean, in -1 to 1.

    Where values do not differ, or are missing, a positive event counts 0.3 and a dislike (weight below 0) -1.
    """
    out = np.where(history.weights > 0, 0.3, np.where(history.weights < 0, -1.0, 0.0))
    for begin, end in zip(history.offsets[:-1].tolist(), history.offsets[1:].tolist(), strict=True):
        values = history.values[begin:end].astype(np.float64)
        told = np.isfinite(values)
        if told.sum() >= 3 and (spread := float(values[told].std())) > 1e-6:
            own = np.clip((values - values[told].mean()) / (2 * spread), -1, 1)
            out[begin:end] = np.where(told, own, out[begin:end])
    return np.asarray(out, dtype=np.float64)


def liked(opinions: list[Opinion], k: int) -> tuple[str, ...]:
    """Return the ``k`` kinds that a person seeks most, chosen at least twice unless they chose little at all."""
    least = 2 if sum(opinion.n for opinion in opinions) >= 6 else 1
    return tuple(one.name for one in opinions if one.score > _FOND and one.n >= least)[:k]


def disliked(opinions: list[Opinion], k: int) -> tuple[str, ...]:
    """Return the ``k`` kinds that a person avoids or values least, the clearest first."""
    return tuple(one.name for one in reversed(opinions) if one.score < _AVERSE)[:k]


def favourites(history: History, values: F64, k: int) -> I64:
    """Return the ``k`` items of one person's history that they value most; of equals the latest."""
    order = np.lexsort((-np.arange(len(values)), -values))
    rows = history.item_rows[order[values[order] > 0]].astype(np.int64)
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)][:k]


def _decade(value: Any) -> str:
    """Return the decade of the last year that a value names, such as ``1990s``."""
    years = _YEAR.findall(str(value)) if value is not None else []
    return f"{years[-1][:3]}0s" if years else ""


def _names(given: object) -> list[str]:
    """Return an item's categories; a catalogue takes rows as they come, so one may be no list."""
    if isinstance(given, str):
        return [name for name in given.split("|") if name]
    return [str(name) for name in given if name] if isinstance(given, list | tuple) else []
