"""Several retrievers' answers as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset, Interactions
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.kernels.jagged import Normalisation, reciprocal_ranks, segment_normalise
from inkling.retrieval import build
from inkling.retrieval._taste import AtLeastZero
from inkling.retrieval.base import Because, ItemUpdatable, Similar, Updatable


class Member(Config, frozen=True, kw_only=True):
    """One of the retrievers that are fused."""

    name: str
    """Registered name."""
    weight: AtLeastZero = 1.0
    """What its answer is worth."""
    settings: dict[str, Any] = {}
    """Its settings."""


class FuseConfig(Config, frozen=True, kw_only=True):
    """Settings of ``fuse``."""

    members: tuple[Member, ...] = (
        Member(name="repeat"),
        Member(name="markov", weight=0.5),
        Member(name="itemknn", weight=0.5),
    )
    """Retrievers with their settings and weights."""
    method: Literal["rank", "score"] = "rank"
    """Reciprocal rank fusion, or the sum of scores brought to a common range."""
    constant: AtLeastZero = 60.0
    """rank: a place is worth 1 / (constant + place)."""
    normalise: Normalisation = "minmax"
    """score: onto [0, 1] within each list, or divided by the largest magnitude."""
    depth: Annotated[int, msgspec.Meta(ge=1)] = 200
    """So many candidates are asked of each member."""


class Fuse:
    """Weighted reciprocal rank fusion (Cormack et al. 2009) or weighted sum of scores (CombSUM, Fox and Shaw 1994).

    Candidates carry ``score.<member>`` and ``rank.<member>`` (from 1) in their fields, NaN where a member has no such
    candidate; their source is the member that gave them most.
    """

    name = "fuse"
    Config = FuseConfig

    def __init__(self, config: FuseConfig | None = None, *, members: Sequence[Any] | None = None) -> None:
        """Take settings, and the members themselves where the caller already holds them."""
        self.config = config or FuseConfig()
        self._members = [build(m.name, m.settings) for m in self.config.members] if members is None else list(members)

    def fit(self, data: Dataset, run: Run) -> Self:
        """Fit each member."""
        for member in run.track(self._members, "fit members", total=len(self._members)):
            member.fit(data, run)
        return self

    def update(self, events: Interactions) -> None:
        """Let each member that can learn from new events."""
        for member in self._members:
            if isinstance(member, Updatable):
                member.update(events)

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Give the vectors of new items to each member that can take them."""
        for member in self._members:
            if isinstance(member, ItemUpdatable):
                member.put_items(item_rows, vectors)

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k best of all members' candidates."""
        depth = max(self.config.depth, k)
        return self._merge([member.retrieve(query, depth) for member in self._members], len(query)).top(k)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): the fused scores of the members' candidates, 0 elsewhere."""
        found = self.retrieve(query, self.config.depth)
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        out[found.segment_rows, found.item_rows] = found.scores
        return out

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k best neighbours of each item, of those members that know neighbours."""
        depth = max(self.config.depth, k)
        answers = [
            member.similar(item_rows, depth) if isinstance(member, Similar) else Candidates.empty(len(item_rows))
            for member in self._members
        ]
        return self._merge(answers, len(item_rows)).top(k)

    def _worth(self, answer: Candidates) -> F64:
        """Return what each candidate (N,) of one member's answer is worth before the member's weight."""
        if self.config.method == "score":
            return segment_normalise(answer.offsets, answer.scores, method=self.config.normalise).astype(np.float64)
        return reciprocal_ranks(answer.offsets, answer.scores, constant=self.config.constant).astype(np.float64)

    def _merge(self, answers: list[Candidates], n_people: int) -> Candidates:
        """Add the members' answers up by person and item, and sort each person's list."""
        width = 1 + max((int(answer.item_rows.max(initial=0)) for answer in answers), default=0)
        keys = [answer.segment_rows * width + answer.item_rows for answer in answers]
        cells = np.unique(np.concatenate(keys)) if keys else np.empty(0, dtype=np.int64)
        worths = np.zeros((len(answers), len(cells)))
        fields: dict[str, F32] = {}
        labels = self._labels()
        for index, (answer, own) in enumerate(zip(answers, keys, strict=True)):
            place = np.searchsorted(cells, own)
            worths[index, place] = self._worth(answer) * self.config.members[index].weight
            ranks = (np.arange(len(own)) - np.repeat(answer.offsets[:-1], np.diff(answer.offsets)) + 1).astype(
                np.float32
            )
            fields[f"score.{labels[index]}"] = _scattered(answer.scores, place, len(cells))
            fields[f"rank.{labels[index]}"] = _scattered(ranks, place, len(cells))
        people, rows = cells // width, (cells % width).astype(np.int32)
        offsets = np.searchsorted(people, np.arange(n_people + 1)).astype(np.int64)
        best = worths.argmax(axis=0) if len(answers) else np.empty(0, dtype=np.int64)
        total = worths.sum(axis=0).astype(np.float32)
        return Candidates(offsets, rows, total, best.astype(np.int8), labels or ("",), fields).with_scores(total)

    def _labels(self) -> tuple[str, ...]:
        """Return the members' names; the second of a name is "name2"."""
        names = [member.name for member in self.config.members]
        counts = [names[:index].count(name) for index, name in enumerate(names)]
        return tuple(name if not count else f"{name}{count + 1}" for name, count in zip(names, counts, strict=True))

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the members' grounds, each member's scaled to what it gave to the fused score."""
        found: list[Because] = []
        for member, setting in zip(self._members, self.config.members, strict=True):
            answer = member.retrieve(query, self.config.depth)
            at = np.flatnonzero(answer.item_rows == item_row)
            if len(at):
                found += _scaled(member.why(query, item_row), float(self._worth(answer)[at[0]] * setting.weight))
        return tuple(sorted(found, key=lambda because: -abs(because.weight)))

    def state(self) -> Mapping[str, Array]:
        """Return the members' states."""
        return {
            f"{index}.{name}": array
            for index, member in enumerate(self._members)
            for name, array in member.state().items()
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        for index, member in enumerate(self._members):
            prefix = f"{index}."
            member.load_state({key.removeprefix(prefix): v for key, v in state.items() if key.startswith(prefix)})
        return self


def _scattered(values: F32, place: I64, n: int) -> F32:
    column = np.full(n, np.nan, dtype=np.float32)
    column[place] = values
    return column


def _scaled(grounds: tuple[Because, ...], total: float) -> list[Because]:
    size = sum(abs(because.weight) for because in grounds)
    return [Because(b.kind, b.item_row, b.weight / size * total) for b in grounds] if size > 0 else []
