"""Numeric columns as inputs of a network: logarithms where they are skewed, one scale, what is missing said aloud."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np

from inkling.core.arrays import F32, F64, I64, Array, Bool
from inkling.core.candidates import Candidates
from inkling.ranking._features import decode_names, encode_names

Treatment = Literal["standard", "log", "quantile"]
"""One scale; the logarithm first where a column is skewed; or the share of examples that lie below."""

_CLIP = 5.0
_EDGES = 24
_EVEN_SPREAD = 12**0.5  # a value spread evenly over [0, 1] has a standard deviation of 1 over this


@dataclass(frozen=True)
class Numbers:
    """F columns and how each is read: D = F + M inputs, the last M saying which values are missing."""

    names: tuple[str, ...]
    logged: Bool  # (F,)
    mean: F32  # (F,)
    scale: F32  # (F,)
    edges: F32  # (F, Q), or (F, 0) where values are scaled instead
    gaps: I64  # (M,) positions of the columns of which some values are missing

    @classmethod
    def learn(cls, items: Candidates, names: Sequence[str], how: Treatment) -> Self:
        """Return how to read the columns of ``names``; those that never change are left out."""
        kept: list[str] = []
        logged, mean, scale, edges, gaps = [], [], [], [], []
        for name in names:
            column = np.asarray(items.fields[name], dtype=np.float64)
            known = column[np.isfinite(column)]
            gappy = len(known) < len(column)
            if not len(known) or (not gappy and known.min() == known.max()):
                continue
            log = how == "log" and abs(_skew(_signed_log(known))) < 0.5 * abs(_skew(known))
            known = _signed_log(known) if log else known
            if gappy:
                gaps.append(len(kept))
            kept.append(name)
            logged.append(log)
            mean.append(known.mean())
            scale.append(known.std() or 1.0)
            edges.append(np.quantile(known, np.linspace(0, 1, _EDGES + 2)[1:-1]) if how == "quantile" else np.empty(0))
        return cls(
            tuple(kept),
            np.array(logged, dtype=np.bool_),
            np.array(mean, dtype=np.float32),
            np.array(scale, dtype=np.float32),
            np.array(edges, dtype=np.float32).reshape(len(kept), _EDGES if how == "quantile" else 0),
            np.array(gaps, dtype=np.int64),
        )

    @property
    def width(self) -> int:
        """Return D."""
        return len(self.names) + len(self.gaps)

    @property
    def owners(self) -> I64:
        """Return the column (D,) that each input tells of."""
        return np.concatenate([np.arange(len(self.names)), self.gaps]).astype(np.int64)

    def read(self, items: Candidates) -> F32:
        """Return inputs (N, D); a column that is not there is missing throughout."""
        n, n_columns = len(items.item_rows), len(self.names)
        out = np.empty((self.width, n), dtype=np.float32)
        values = out[:n_columns]
        for row, name in zip(values, self.names, strict=True):
            column = items.fields.get(name)
            row[:] = np.nan if column is None else column
        absent = ~np.isfinite(values)
        out[n_columns:] = absent[self.gaps]
        values[:] = self._shares(values) if self.edges.shape[1] else self._scaled(values)
        values[absent] = 0
        return out.T

    def _scaled(self, values: F32) -> F32:
        values[self.logged] = _signed_log(values[self.logged])
        values -= self.mean[:, None]
        values /= self.scale[:, None]
        return np.clip(values, -_CLIP, _CLIP, out=values)

    def _shares(self, values: F32) -> F32:
        below = (values[:, None, :] > self.edges[:, :, None]).sum(axis=1, dtype=np.int16)
        shares: F32 = (below.astype(np.float32) / np.float32(self.edges.shape[1]) - np.float32(0.5)) * np.float32(
            _EVEN_SPREAD
        )
        return shares

    def state(self) -> dict[str, Array]:
        """Return names and scales."""
        return {
            "numbers.names": encode_names(self.names),
            "numbers.logged": self.logged,
            "numbers.mean": self.mean,
            "numbers.scale": self.scale,
            "numbers.edges": self.edges,
            "numbers.gaps": self.gaps,
        }

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        names = decode_names({"names": state["numbers.names"]})
        kept = [np.array(state[f"numbers.{key}"]) for key in ("logged", "mean", "scale", "edges", "gaps")]
        return cls(names, *kept)


def _signed_log(values: Array) -> Array:
    return np.sign(values) * np.log1p(np.abs(values))


def _skew(values: F64) -> float:
    centred = values - values.mean()
    spread = float(np.sqrt((centred**2).mean()))
    return float((centred**3).mean()) / spread**3 if spread > 0 else 0.0
