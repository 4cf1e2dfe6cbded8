"""The context of a question as inputs of a network: time of day, weekday, and whatever else is told of the request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I64, Array
from inkling.core.query import Query

_MOST_VALUES = 64
_DAY_MS = 86_400_000
_FIRST_REAL = 10**11  # positions in an order stay below, epoch milliseconds have been above since 1973


@dataclass(frozen=True)
class Moments:
    """What is known of the moment of asking, and the values of each context that training saw."""

    values: Mapping[str, tuple[str, ...]]  # name -> its values, the most frequent first
    clock: bool  # whether times are real

    @classmethod
    def learn(cls, query: Query) -> Self:
        """Return the contexts of ``query`` that have at least two values, and whether its times tell hours."""
        found: dict[str, tuple[str, ...]] = {}
        for name, given in sorted(query.context.items()):
            counts = Counter(value for value in given if value is not None)
            if len(counts) > 1:
                found[name] = tuple(value for value, _ in counts.most_common(_MOST_VALUES))
        return cls(found, bool(len(query) and (query.now > _FIRST_REAL).all() and len(np.unique(query.now)) > 1))

    @property
    def width(self) -> int:
        """Return the number of inputs C."""
        return len(self.owners)

    @property
    def owners(self) -> I64:
        """Return the field (C,) that each input belongs to: hour, weekday, then the contexts."""
        lengths = ([2, 7] if self.clock else []) + [len(values) for values in self.values.values()]
        return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)

    def read(self, query: Query) -> F32:
        """Return inputs (B, C): the hour as a point on a circle, weekday and contexts as one of many."""
        n = len(query)
        parts: list[F32] = [np.empty((n, 0), dtype=np.float32)]
        if self.clock:
            angle = (query.now % _DAY_MS) * (2 * np.pi / _DAY_MS)
            weekday = (query.now // _DAY_MS + 3) % 7
            parts += [np.stack([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32), _one_of(weekday, 7)]
        for name, values in self.values.items():
            known = {value: code for code, value in enumerate(values)}
            given = query.context.get(name, (None,) * n)
            codes = [-1 if value is None else known.get(value, -1) for value in given]
            parts.append(_one_of(np.array(codes, dtype=np.int64), len(values)))
        return np.concatenate(parts, axis=1)

    def state(self) -> dict[str, Array]:
        """Return names and values as bytes."""
        plain = msgspec.json.encode({"values": self.values, "clock": self.clock})
        return {"moments": np.frombuffer(plain, dtype=np.uint8)}

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        plain = msgspec.json.decode(state["moments"].tobytes())
        return cls({name: tuple(values) for name, values in plain["values"].items()}, bool(plain["clock"]))


def _one_of(codes: I64, n: int) -> F32:
    out = np.zeros((len(codes), n), dtype=np.float32)
    there = np.flatnonzero(codes >= 0)
    out[there, codes[there]] = 1
    return out
