"""Sequences in flat arrays, and batches of them packed, not padded: several to a row, each seeing itself alone."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inkling.core.arrays import I32, I64, Bool


@dataclass(frozen=True)
class Sequences:
    """S sequences of items in flat columns (N in all), oldest first."""

    offsets: I64  # (S + 1,)
    items: I32  # (N,)
    times: I64  # (N,) in any unit; equal where time is not known
    target: Bool  # (N,) whether the item may be predicted

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> I64:
        """Return (S,)."""
        return np.diff(self.offsets)

    def last(self, max_length: int) -> Sequences:
        """Return the last ``max_length`` items of each."""
        return self._of(np.maximum(self.offsets[:-1], self.offsets[1:] - max_length), self.offsets[1:])

    def windows(self, max_length: int) -> Sequences:
        """Return each cut, from its end, into parts of ``max_length`` that share one item, so that no step is lost."""
        step = max(max_length - 1, 1)
        n_parts = np.maximum(-(-(self.lengths - 1) // step), 1)
        owner = np.repeat(np.arange(len(self)), n_parts)
        part = np.arange(len(owner)) - np.repeat(np.cumsum(n_parts) - n_parts, n_parts)
        ends = self.offsets[1:][owner] - part * step
        return self._of(np.maximum(self.offsets[:-1][owner], ends - max_length), ends)

    def longer(self, n: int) -> Sequences:
        """Return those of more than ``n`` items."""
        keep = np.flatnonzero(self.lengths > n)
        return self._of(self.offsets[keep], self.offsets[keep + 1])

    def _of(self, begin: I64, end: I64) -> Sequences:
        offsets = np.zeros(len(begin) + 1, dtype=np.int64)
        np.cumsum(end - begin, out=offsets[1:])
        flat = np.arange(offsets[-1]) + np.repeat(begin - offsets[:-1], end - begin)
        return Sequences(offsets, self.items[flat], self.times[flat], self.target[flat])


@dataclass(frozen=True)
class Layout:
    """Where the sequences of a batch lie in its rows (R, W)."""

    segments: Tensor  # (R, W) int64, the sequence's number in the batch; -1 where the row is not filled
    positions: Tensor  # (R, W) int64, from 0 within each sequence
    times: Tensor  # (R, W) int64

    @classmethod
    def single(cls, times: Tensor, lengths: Tensor) -> Layout:
        """Return one sequence to a row (B, W), from its start, with ``lengths`` (B,)."""
        positions = torch.arange(times.shape[1], device=times.device)[None].expand(times.shape)
        row = torch.arange(times.shape[0], device=times.device)[:, None]
        return cls(torch.where(positions < lengths[:, None], row, -1), positions, times)

    def same(self) -> Tensor:
        """Return (R, W, W): whether two places hold the same sequence."""
        return (self.segments[:, :, None] == self.segments[:, None, :]) & (self.segments >= 0)[:, :, None]

    def causal(self) -> Tensor:
        """Return (R, W, W): whether the second place is of the same sequence and not later; always true of itself."""
        earlier = self.positions[:, :, None] >= self.positions[:, None, :]
        own = torch.eye(self.segments.shape[1], dtype=torch.bool, device=self.segments.device)
        return (self.same() & earlier) | own


@dataclass(frozen=True)
class Batch:
    """Packed sequences and what is to be predicted in them."""

    layout: Layout
    items: Tensor  # (R, W) int64, 0 where the row is not filled
    places: Tensor  # (M,) int64, flat positions in (R * W) from which is predicted
    targets: Tensor  # (M,) int64, items
    masked: Tensor | None = None  # (R, W) where the item is hidden from the network

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: str) -> Batch:
        """Return the batch on a device."""
        laid = self.layout
        return Batch(
            Layout(laid.segments.to(device), laid.positions.to(device), laid.times.to(device)),
            self.items.to(device),
            self.places.to(device),
            self.targets.to(device),
            None if self.masked is None else self.masked.to(device),
        )


def pack(lengths: I64, width: int) -> tuple[I64, I64]:
    """Return each sequence's row and its first place there; rows hold ``width``, the emptiest takes the next."""
    rows, starts = np.zeros(len(lengths), dtype=np.int64), np.zeros(len(lengths), dtype=np.int64)
    open_rows: list[tuple[int, int]] = []  # (-free, row)
    n_rows = 0
    for index in np.argsort(-lengths, kind="stable").tolist():
        length = int(lengths[index])
        if open_rows and -open_rows[0][0] >= length:
            free, row = open_rows[0]
            rows[index], starts[index] = row, width + free
            heapq.heapreplace(open_rows, (free + length, row))
        else:
            rows[index], starts[index] = n_rows, 0
            heapq.heappush(open_rows, (length - width, n_rows))
            n_rows += 1
    return rows, starts


def parts(sequences: Sequences, n_tokens: int, rng: np.random.Generator | None) -> list[I64]:
    """Return the sequences' numbers in groups of about ``n_tokens`` items, shuffled where ``rng`` is given."""
    order = np.arange(len(sequences)) if rng is None else rng.permutation(len(sequences))
    filled = np.cumsum(sequences.lengths[order]) - sequences.lengths[order]
    return [part for part in np.split(order, np.flatnonzero(np.diff(filled // n_tokens)) + 1) if len(part)]


def next_items(sequences: Sequences, index: I64, *, packed: bool = True) -> Batch:
    """Return a batch in which each place predicts the item after it (causal training)."""
    flat, place, layout, items = _lay(sequences, index, packed=packed)
    follows = np.flatnonzero((layout[1].ravel()[place[1:]] > 0) & sequences.target[flat[1:]])
    return _batch(layout, items, place[follows], sequences.items[flat[follows + 1]])


def hidden_items(sequences: Sequences, index: I64, *, share: float, last: float, rng: np.random.Generator) -> Batch:
    """Return a batch in which hidden places predict their own item (the Cloze task of Sun et al. 2019).

    Args:
        sequences: Where from.
        index: Which.
        share: Chance of each place to be hidden; at least one of each sequence is.
        last: Chance of a sequence to hide its last place alone, as when it is asked for the next.
        rng: Chooses.
    """
    flat, place, layout, items = _lay(sequences, index, packed=True)
    lengths = sequences.lengths[index]
    ends = np.cumsum(lengths) - 1
    hidden = rng.random(len(flat)) < share
    hidden[ends - (rng.random(len(index)) * lengths).astype(np.int64)] = True
    only_last = rng.random(len(index)) < last
    hidden[np.repeat(only_last, lengths)] = False
    hidden[ends[only_last]] = True
    hidden &= sequences.target[flat]
    masked = np.zeros(items.size, dtype=np.bool_)
    masked[place[hidden]] = True
    batch = _batch(layout, items, place[hidden], sequences.items[flat[hidden]])
    return Batch(batch.layout, batch.items, batch.places, batch.targets, torch.from_numpy(masked.reshape(items.shape)))


class Epoch:
    """The batches of one pass, made when they are come to, so that one is in memory at a time."""

    def __init__(self, groups: list[I64], make: Callable[[I64], Batch], *, all_of_them: bool = False) -> None:
        """Take the sequences' numbers of each batch (see :func:`parts`), and what makes a batch of them.

        Batches that predict nothing are left out, but for ``all_of_them``: processes that train together take as many
        steps each.
        """
        self._groups, self._make, self._all = groups, make, all_of_them

    def __len__(self) -> int:
        return len(self._groups)

    def __iter__(self) -> Iterator[Batch]:
        return (batch for batch in map(self._make, self._groups) if len(batch) or self._all)


def _lay(sequences: Sequences, index: I64, *, packed: bool) -> tuple[I64, I64, tuple[I64, I64, I64], I64]:
    """Return where the items lie in ``sequences`` (N,) and in the rows (N,), the layout's columns, and the rows."""
    begin, lengths = sequences.offsets[index], sequences.lengths[index]
    width = int(lengths.max(initial=1))
    rows, starts = pack(lengths, width) if packed else (np.arange(len(index)), np.zeros(len(index), dtype=np.int64))
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    flat = np.repeat(begin, lengths) + within
    place = np.repeat(rows * width + starts, lengths) + within
    shape = (int(rows.max(initial=0)) + 1, width)
    segments, positions, times, items = (np.full(shape, fill, dtype=np.int64) for fill in (-1, 0, 0, 0))
    segments.reshape(-1)[place] = np.repeat(np.arange(len(index)), lengths)
    positions.reshape(-1)[place] = within
    times.reshape(-1)[place] = sequences.times[flat]
    items.reshape(-1)[place] = sequences.items[flat]
    return flat, place, (segments, positions, times), items


def _batch(layout: tuple[I64, I64, I64], items: I64, places: I64, targets: I32) -> Batch:
    columns = Layout(*(torch.from_numpy(column) for column in layout))
    return Batch(columns, torch.from_numpy(items), torch.from_numpy(places), torch.from_numpy(targets.astype(np.int64)))
