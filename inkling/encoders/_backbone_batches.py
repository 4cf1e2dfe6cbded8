"""Texts of alike length travel together, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def length_batches(sizes: Sequence[int], n_tokens: int) -> Iterator[list[int]]:
    """Yield rows, short texts first, ``n_tokens`` padded tokens at a time; rows without tokens stay out."""
    order = sorted((row for row, size in enumerate(sizes) if size), key=lambda row: sizes[row])
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * sizes[row] > n_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch
