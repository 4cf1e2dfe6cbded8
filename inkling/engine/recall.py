"""Several retrievers side by side: their best candidates together, each candidate with every member's opinion."""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType
from typing import Any, cast

import msgspec
import numpy as np

from inkling.core.arrays import F32, I8, I32, I64, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import parse
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError, MissingExtraError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.engine.budget import Budget
from inkling.engine.stack import Listed, Stack
from inkling.engine.weights import power
from inkling.retrieval import RETRIEVERS
from inkling.retrieval.base import ItemUpdatable, Retriever, Scorer, Updatable

OPINION = "says_"
RANK = "rank_"
_BLOCK_CELLS = 8_000_000
_LEAST_WORTH = 0.01  # a member without weight comes last
_MINUTE_MS = 60_000
_A_WORD = np.float32(0.01)  # members without weight are a source where no other speaks for an item


class MemberConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One member of a pipeline's recall."""

    retriever: str
    """Registered name of the retriever."""
    settings: dict[str, Any] = {}
    """Its settings."""
    k: int = 100
    """How many candidates it may bring."""


@dataclass(slots=True)
class Recall:
    """Members by name, in a fixed order."""

    members: dict[str, Retriever]
    k: dict[str, int]
    ready: frozenset[str] = frozenset()
    left_out: dict[str, str] = field(default_factory=dict)
    _stack: Stack | None = None
    _kept: dict[str, tuple[int, F32]] = field(default_factory=dict)
    _all_open: Bool | None = None

    @classmethod
    def of(
        cls,
        configs: Mapping[str, MemberConfig],
        *,
        encoder: Any = None,
        ready: Mapping[str, Retriever] = MappingProxyType({}),
    ) -> Recall:
        """Return unfitted members; those that read texts share ``encoder``, those in ``ready`` are fitted already."""
        made = {name: ready.get(name) or _retriever(config, name, encoder) for name, config in configs.items()}
        return cls(made, {name: config.k for name, config in configs.items()}, frozenset(ready))

    def fit(self, data: Dataset, run: Run) -> dict[str, float]:
        """Fit each member; one that cannot learn from this data is left out with its reason. Return seconds by name."""
        seconds = {}
        for name, member in list(self.members.items()):
            if name in self.ready:
                continue
            start = time.perf_counter()
            try:
                member.fit(data, run)
            except (DataError, MissingExtraError) as error:
                self.left_out[name] = str(error)
                del self.members[name]
            seconds[name] = time.perf_counter() - start
        self._stack, self._kept = None, {}
        return seconds

    def keep_only(self, names: Sequence[str]) -> None:
        """Leave out all other members."""
        self.members = {name: member for name, member in self.members.items() if name in names}

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns of opinions."""
        return tuple(OPINION + name for name in self.members)

    def candidates(
        self, query: Query, weights: Mapping[str, float], *, limit: int, budget: Budget | None = None
    ) -> Candidates:
        """Return at most ``limit`` candidates for each person, by the weighted sum of opinions, with all opinions.

        An opinion is a member's score divided by its best score for this person, so 1 is its favourite. What does not
        fit a ``budget`` has none.
        """
        parts = []
        query = self._narrowed(query)
        size = max(_BLOCK_CELLS // max(query.n_items * max(len(self.members), 1), 1), 1)
        for begin in range(0, len(query), size):
            block = range(begin, min(begin + size, len(query)))
            part = query if len(block) == len(query) else query.take(block)
            parts += self._block(part, weights, limit, budget)
        return _gather(parts, tuple(self.members), power(weights, tuple(self.members), np.diff(query.history.offsets)))

    def _narrowed(self, query: Query) -> Query:
        """Return the question without a mask that lets everything through; one of the catalogue is looked at once."""
        allowed = query.allowed
        if allowed is None or (allowed is not self._all_open and not allowed.all()):
            return query
        if not allowed.flags.writeable:
            self._all_open = allowed
        return replace(query, allowed=None)

    def _block(
        self, query: Query, weights: Mapping[str, float], limit: int, budget: Budget | None
    ) -> list[tuple[I32, F32, F32]]:
        spoken = self._spoken(query, weights, budget)
        best = _favourites(spoken, query)
        powers = power(weights, tuple(self.members), np.diff(query.history.offsets))
        out = []
        for person in range(len(query)):
            mine = spoken[:, person]
            rows = self._union(mine, query, person)
            says = mine.take(rows, axis=1) / best[:, person, None]
            every: F32 = says.sum(axis=0)
            if len(rows) > limit:
                # Every member's word counts alike for who may be ranked: a weight is for the order, which comes later.
                most = np.argpartition(-every, limit - 1)[:limit]
                rows, says, every = rows[most], says[:, most], every[most]
            fused = powers[person] @ says
            # A person unknown to all members with a weight is still told what the others, such as popularity, say.
            order = np.lexsort((-every, -fused))
            out.append((rows[order], fused[order], says.take(order, axis=1)))
        return out

    def _spoken(self, query: Query, weights: Mapping[str, float], budget: Budget | None) -> F32:
        """Return the members' scores (members, B, n_items), each in its own units."""
        out = np.empty((len(self.members), len(query), query.n_items), dtype=np.float32)
        stack = self._stacked(query.n_items)
        for person in range(len(query)) if stack.slots else ():
            for slot, row in zip(stack.slots, stack.scores(query, person), strict=True):
                out[slot, person] = row
        slots = {name: slot for slot, name in enumerate(self.members) if slot not in stack.slots}
        worth = {name: weights.get(name, 0.0) + _LEAST_WORTH for name in slots}
        for name in budget.by_worth(worth) if budget is not None and budget.limited else slots:
            out[slots[name]] = self._heard(name, query, budget)
        return out

    def _heard(self, name: str, query: Query, budget: Budget | None) -> F32 | float:
        """Return what a member says, or 0 where there is no time for it."""
        member = self.members[name]
        if budget is None or getattr(member, "impersonal", False):  # the latter is kept, and costs next to nothing
            return self._asked(name, member, query)
        if not budget.fits(name, "recall"):
            return 0.0
        with budget.part(name, "recall"):
            return self._asked(name, member, query)

    def _stacked(self, n_items: int) -> Stack:
        if self._stack is None or self._stack.width < n_items:
            self._stack = Stack(self.members, n_items)
        return self._stack

    def _asked(self, name: str, member: Retriever, query: Query) -> F32:
        """Ask one member; what says the same to everybody is asked once a minute, and after each update."""
        if not getattr(member, "impersonal", False):
            return _scores(member, query, self.k)
        moment, n_items = int(query.now[0]), query.n_items
        if len(query) > 1 and (query.now != moment).any():
            return _scores(member, query, self.k)
        kept = self._kept.get(name)
        if kept is None or kept[1].shape[1] != n_items or not 0 <= moment - kept[0] < _MINUTE_MS:
            kept = (moment, _scores(member, query.take([0]), self.k))
            self._kept[name] = kept
        return kept[1]

    def update(self, events: Interactions) -> None:
        """Let members that can learn from new events."""
        for name, member in self.members.items():
            if isinstance(member, Updatable):
                member.update(events)
                self._kept.pop(name, None)

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Let members that read items read new or changed ones."""
        for member in self.members.values():
            if isinstance(member, ItemUpdatable):
                member.put_items(item_rows, vectors)
                if isinstance(member, Listed):  # the others keep their lists: laying all out anew takes a while
                    self._stack = None

    def _union(self, mine: F32, query: Query, person: int) -> I32:
        """Return the rows that are among the best k of any member and may be answered."""
        open_to = _open_to(query, person)
        if query.candidates is not None:
            rows = np.unique(query.candidates[person])
            return rows[open_to[rows]] if open_to is not None else rows
        wanted = mine if open_to is None else np.where(open_to, mine, 0)
        among = np.zeros(wanted.shape[1], dtype=np.bool_)
        for row, k in zip(wanted, [self.k[name] for name in self.members], strict=True):
            among[_best_of(row, k)] = True
        return among.nonzero()[0].astype(np.int32)


def _retriever(config: MemberConfig, name: str, encoder: Any) -> Retriever:
    kind = RETRIEVERS.get(config.retriever)
    settings = parse(kind.Config, config.settings, where=f"members.{name}.settings")
    if encoder is None or "encoder" not in inspect.signature(kind).parameters:
        plain: Retriever = kind(settings)
        return plain
    if "encoder" in type(settings).__struct_fields__:  # texts of questions come under the name of what reads them
        settings = msgspec.structs.replace(settings, encoder=encoder.name)
    made: Retriever = kind(settings, encoder=encoder)
    return made


def _scores(member: Retriever, query: Query, k: Mapping[str, int]) -> F32:
    if hasattr(member, "scores"):  # isinstance with a protocol costs ten times as much, on the request path
        return cast("Scorer", member).scores(query)
    found = member.retrieve(query, max(k.values()))
    out = np.zeros((len(query), query.n_items), dtype=np.float32)
    out[found.segment_rows, found.item_rows] = found.scores
    return out


def _best_of(row: F32, k: int) -> I64:
    """Return where the best ``k`` of the positive scores (n_items,) are, with all that equal the last of them."""
    there: I64 = (row > 0).nonzero()[0]  # most rows are sparse, and partitioning many equal zeros is slow
    if len(there) <= k or k <= 0:
        return there[: max(k, 0)]
    scores = row[there]
    best = scores.copy()
    best.partition(len(best) - k)
    kept: I64 = there[scores >= best[len(best) - k]]
    return kept


def _open_to(query: Query, person: int) -> Bool | None:
    """Return (n_items,) what may be answered to one person; None is everything."""
    if query.exclude is None or not len(query.exclude[person]):
        return query.allowed
    mask = np.ones(query.n_items, dtype=np.bool_) if query.allowed is None else query.allowed.copy()
    rows = query.exclude[person]
    mask[rows[(rows >= 0) & (rows < query.n_items)]] = False
    return mask


def _favourites(spoken: F32, query: Query) -> F32:
    """Return each member's best score (members, B) among what may be answered; 1 where it has nothing to say."""
    if query.allowed is not None:
        spoken = spoken[:, :, query.allowed]
    best: F32 = spoken.max(axis=2, initial=0)
    best[best <= 0] = 1
    return best


def _gather(parts: Sequence[tuple[I32, F32, F32]], names: tuple[str, ...], powers: F32) -> Candidates:
    """Return candidates whose source is the member that speaks loudest for them, by weight and opinion."""
    if not parts:
        return Candidates.empty(0)
    offsets = np.array([0, *accumulate(len(rows) for rows, _, _ in parts)], dtype=np.int64)
    rows, fused, says = parts[0] if len(parts) == 1 else _joined(parts)
    sources: I8 = (
        (says * _loudness(powers, offsets)).argmax(axis=0).astype(np.int8)
        if len(names)
        else np.zeros(len(rows), dtype=np.int8)
    )
    fields = {OPINION + name: says[slot] for slot, name in enumerate(names)}
    return Candidates(offsets, rows, fused, sources, names or ("",), fields)


def _loudness(powers: F32, offsets: I64) -> F32:
    """Return each member's weight (members, N or 1) beside a candidate of each person (B, members)."""
    loud: F32 = (powers + _A_WORD).T
    return loud if len(powers) == 1 else loud.repeat(np.diff(offsets), axis=1)


def _joined(parts: Sequence[tuple[I32, F32, F32]]) -> tuple[I32, F32, F32]:
    rows, fused, says = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(fused), np.concatenate(says, axis=1)


def labels_of(items: Candidates, targets: tuple[I64, I32], n_items: int) -> F32:
    """Return (N,) 1 where a candidate is among its person's targets (offsets, item rows)."""
    offsets, rows = targets
    owner = np.repeat(np.arange(len(offsets) - 1, dtype=np.int64), np.diff(offsets))
    wanted = np.sort(owner * n_items + rows)
    keys = items.segment_rows * n_items + items.item_rows
    at = np.minimum(np.searchsorted(wanted, keys), max(len(wanted) - 1, 0))
    return (wanted[at] == keys).astype(np.float32) if len(wanted) else np.zeros(len(keys), dtype=np.float32)
