"""The index: exact where there are few items, else inverted lists whose width is tuned to equal recall."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faiss
import numpy as np

from bench.latency._world import RECALL

_EXACT = 50_000
_LISTS, _LISTS_PER_ROOT = 2048, 4
_WIDTHS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256)
_BLOCK = 100_000


def opened(vectors: Any, path: Path) -> Any:
    """Return an index of vectors (n, d) by inner product; the inverted lists are kept at ``path``."""
    faiss.omp_set_num_threads(1)
    n, dim = vectors.shape
    if n <= _EXACT:
        index = faiss.IndexFlatIP(dim)
        index.add(vectors)
        return index
    if path.is_file():
        return faiss.read_index(str(path))
    lists = min(_LISTS, int(_LISTS_PER_ROOT * n**0.5))
    index = faiss.index_factory(dim, f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[np.random.default_rng(0).permutation(n)[: 50 * lists]])
    index.add(vectors)
    faiss.write_index(index, str(path))
    return index


def tune(index: Any, vectors: Any, people: Any, k: int) -> dict[str, float]:
    """Set the least width at which a sample of people (B, d) gets the share ``RECALL`` of its true first k."""
    if not hasattr(index, "nprobe"):
        return {"recall": 1.0, "nprobe": 0}
    true = exact(vectors, people, k)
    recall = 0.0
    for width in _WIDTHS:
        index.nprobe = width
        found = index.search(people, k)[1]
        recall = float(np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, true, strict=True)]))
        if recall >= RECALL:
            break
    return {"recall": recall, "nprobe": index.nprobe}


def exact(vectors: Any, people: Any, k: int) -> Any:
    """Return the rows (B, k) of the largest inner products, block by block."""
    rows, best = np.zeros((len(people), 0), dtype=np.int64), np.zeros((len(people), 0), dtype=np.float32)
    for start in range(0, len(vectors), _BLOCK):
        scores = people @ vectors[start : start + _BLOCK].T
        best = np.concatenate([best, scores], axis=1)
        places = np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
        rows = np.concatenate([rows, places], axis=1)
        kept = np.argpartition(-best, min(k, best.shape[1] - 1), axis=1)[:, :k]
        best, rows = np.take_along_axis(best, kept, axis=1), np.take_along_axis(rows, kept, axis=1)
    return rows
