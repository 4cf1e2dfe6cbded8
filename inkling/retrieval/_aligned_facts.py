"""What a catalogue says of its items, as vectors and numbers, for models that serve items without events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import F32, F64, Array
from inkling.core.dataset import Dataset
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._aligned import Facts

if TYPE_CHECKING:
    import polars as pl

_ATTRIBUTE_DIM = 64
_NOT_READ = frozenset({"item_id", "title", "description", "image", "audio"})


@dataclass(frozen=True, eq=False)
class Reading:
    """How an encoder's vectors become the items' vectors: cut down along their main directions."""

    axes: F32  # (D, d)
    text_share: float  # what of a vector's squared length is text
    width: int  # of the whole vector

    @classmethod
    def none(cls) -> Reading:
        """Return the reading of nothing."""
        return cls(np.zeros((0, 0), np.float32), 1.0, 0)

    @classmethod
    def of(
        cls, data: Dataset, encode: Callable[[list[str]], F32], dim: int, attributes: float
    ) -> tuple[Reading, Facts]:
        """Read a catalogue, each distinct text once.

        Args:
            data: Whose items are read.
            encode: Turns texts into vectors.
            dim: At most so many numbers are kept of each.
            attributes: Share of the likeness that lists of attributes have where there are any.
        """
        texts = data.items.texts()
        distinct = list(dict.fromkeys(text for text in texts if text))
        read = encode(distinct) if distinct else np.zeros((0, 1), np.float32)
        axes = main_directions(read, dim)
        place = {text: row for row, text in enumerate(distinct)}
        vectors = np.zeros((data.n_items, axes.shape[1]), np.float32)
        rows = [row for row, text in enumerate(texts) if text]
        vectors[rows] = normalize_rows(read @ axes)[[place[texts[row]] for row in rows]]
        listed = attribute_vectors(data.items.frame)
        share = 1.0 - attributes if listed is not None else 1.0
        parts = [vectors * np.float32(np.sqrt(share))]
        if listed is not None:
            parts.append(listed * np.float32(np.sqrt(attributes)))
        whole = stored(normalize_rows(np.concatenate(parts, axis=1)))
        numbers, born = _numbers(data)
        return cls(axes, share, whole.shape[1]), Facts(whole, numbers, born)

    def __call__(self, vectors: F32) -> F32:
        """Return what an encoder's vectors (N, D) are among the items' vectors (N, width), of length one or zero."""
        out = np.zeros((len(vectors), self.width), np.float32)
        out[:, : self.axes.shape[1]] = normalize_rows((vectors @ self.axes).astype(np.float32))
        return stored(out)

    def to_arrays(self) -> dict[str, Array]:
        """Return the axes and the shares."""
        return {"axes": self.axes, "reading": np.array([self.text_share, self.width])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Reading:
        """Take over what :meth:`to_arrays` returned."""
        share, width = np.asarray(arrays["reading"]).tolist()
        return cls(np.asarray(arrays["axes"], np.float32), float(share), int(width))


def stored(vectors: F32) -> F32:
    """Return what is left after storing in half precision, so that a loaded model answers as this one does."""
    return vectors.astype(np.float16).astype(np.float32)


def main_directions(vectors: F32, dim: int) -> F32:
    """Return the axes (D, d) that keep most of the vectors' inner products; all of them where D is at most ``dim``."""
    if vectors.shape[1] <= dim or not len(vectors):
        return np.eye(vectors.shape[1], dtype=np.float32)
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :dim], dtype=np.float32)


def attribute_vectors(frame: pl.DataFrame) -> F32 | None:
    """Return (n, 64) of length one or zero from lists of names, rare ones counting more; None without such columns.

    Names are thrown onto random directions that depend on nothing but the name.
    """
    import polars as pl

    columns = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List) and name != "item_id"]
    lists = frame.with_row_index("row").select("row", *columns)
    parts = [
        lists.select("row", pl.col(name).cast(pl.List(pl.String)).alias("word")).explode("word").drop_nulls()
        for name in columns
    ]
    if not parts or not sum(part.height for part in parts):
        return None
    words = pl.concat(parts)
    names = words["word"].unique(maintain_order=True)
    codes = words["word"].replace_strict(names, np.arange(len(names)), return_dtype=pl.Int64).to_numpy()
    rare = np.log(frame.height / np.bincount(codes, minlength=len(names)))
    thrown = np.stack([_direction(name) for name in names.to_list()]) * np.maximum(rare, 0.1)[:, None]
    out = np.zeros((frame.height, _ATTRIBUTE_DIM), np.float32)
    np.add.at(out, words["row"].to_numpy(), thrown[codes].astype(np.float32))
    return normalize_rows(out)


def _direction(name: str) -> F64:
    import hashlib

    seed = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    found: F64 = np.random.default_rng(seed).standard_normal(_ATTRIBUTE_DIM)
    return found


def _numbers(data: Dataset) -> tuple[F32, F64]:
    """Return standardised numbers (n, m) of each item, and when it came (n,), NaN where that is not known."""
    import polars as pl

    frame, born = data.items.frame, np.full(data.n_items, np.nan)
    columns = []
    for name, kind in frame.schema.items():
        if name == "created_at":
            born = frame[name].cast(pl.Float64).to_numpy().astype(np.float64) if data.scenario.time == "real" else born
        elif name not in _NOT_READ and kind.is_numeric():
            columns.append(frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy())
        elif name not in _NOT_READ and kind == pl.String:
            columns.append(_days(frame[name]))
    told = [column for column in columns if np.isfinite(column).sum() > 1]
    out = [_scaled(values) for column in told for values in (column, np.sign(column) * np.log1p(np.abs(column)))]
    return (np.stack(out, axis=1) if out else np.zeros((data.n_items, 0), np.float32)), born


def _days(column: pl.Series) -> F64:
    """Return dates as days, NaN where a text is none."""
    days = column.str.to_date("%Y-%m-%d", strict=False).to_physical()
    return np.asarray(days.cast(float).fill_null(np.nan).to_numpy(), np.float64)


def _scaled(values: F64) -> F32:
    told = np.isfinite(values)
    spread = values[told].std()
    return np.where(told, (values - values[told].mean()) / (spread or 1.0), 0).astype(np.float32)
