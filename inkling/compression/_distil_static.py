"""A table of token vectors: how it begins, and how it is taught."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from inkling.compression._distil_config import StaticConfig
from inkling.compression._distil_lessons import Lessons
from inkling.compression._distil_net import Student, Taught, teach
from inkling.core.arrays import F32, I64
from inkling.core.run import Run
from inkling.encoders._backbone_torch import settled
from inkling.encoders._shipped import read_checked, shipped
from inkling.encoders._tokens import flatten
from inkling.encoders.backbone import Backbone
from inkling.encoders.base import Encoder
from inkling.encoders.exported import ExportedEncoder
from inkling.kernels.similarity import normalize_rows
from inkling.training.loop import seeded

_AT_ONCE = 512
_ROUNDS = 30
_ANY_WORD = "a"


@dataclass(frozen=True)
class Found:
    """What came of it: (n_tokens, dim) vectors, and the tokenizer's file."""

    table: F32
    tokenizer: str


class _Bags(nn.Module):
    """Texts as bags of tokens over a table; in training some tokens are left out."""

    def __init__(self, table: F32, ids: Sequence[Sequence[int]], dropout: float) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.from_numpy(table))
        self.flat, self.sizes = flatten(ids)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.dropout = dropout

    def read(self, rows: I64) -> Tensor:  # (N, dim)
        """Return the vectors of texts, of length one; zeros for one without tokens."""
        sizes = self.sizes[rows]
        ends = np.cumsum(sizes)
        within = np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes)
        device = self.table.device
        tokens = torch.from_numpy(self.flat[np.repeat(self.starts[rows], sizes) + within]).to(device)
        kept = None
        if self.training and self.dropout > 0:
            kept = (torch.rand(len(tokens), device=device) >= self.dropout).to(self.table.dtype)
        offsets = torch.from_numpy(ends - sizes).to(device)
        sums = functional.embedding_bag(tokens, self.table, offsets, mode="sum", per_sample_weights=kept)
        return functional.normalize(sums, dim=-1)


def fit_static(teacher: Backbone | Encoder, lessons: Lessons, config: StaticConfig, run: Run) -> tuple[Found, Taught]:
    """Return the table and how its lessons went."""
    written = _tokenizer_of(teacher)
    tokenizer = Tokenizer.from_str(written)
    tokenizer.no_padding()
    tokenizer.enable_truncation(config.max_tokens)
    ids = [each.ids for each in tokenizer.encode_batch(lessons.texts, add_special_tokens=False)]
    axes = _axes(lessons.vectors, config.dim)
    table = _first(teacher, tokenizer, ids, config, run, axes)
    used = np.unique(flatten(ids)[0])
    place = np.zeros(len(table), np.int64)
    place[used] = np.arange(len(used))
    own = [place[row].tolist() for row in ids]
    targets = normalize_rows(_widened(lessons.vectors @ axes, config.dim))
    bags = _Bags(solved(table[used], own, targets, config.pull), own, config.dropout).to(run.device)
    student = Student(bags, bags.read, lessons, config, torch.from_numpy(targets).to(run.device)).to(run.device)
    taught = teach(student, lessons, run, stage="static", anew=True)
    return Found(_joined(table, used, bags.table.detach().cpu().numpy()), written), taught


def solved(first: F32, ids: Sequence[Sequence[int]], targets: F32, pull: float) -> F32:  # (n, dim)
    """Return the table whose sums are nearest to the targets (T, dim), in squares, and not far from ``first``.

    A ridge regression in closed form, by conjugate gradients: each text should be its target, as long as it is now.

    Args:
        first: (n, dim) where it begins.
        ids: Each text's rows of the table.
        targets: (T, dim) of length one.
        pull: Weight of the squared distance from ``first``.
    """
    flat, sizes = flatten(ids)
    shape = (len(ids), len(first))
    bags = csr_array((np.ones(len(flat), np.float32), flat, np.concatenate([[0], np.cumsum(sizes)])), shape=shape)
    sums = np.asarray(bags @ first, np.float32)
    long = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-6)
    scaled = (diags_array(1 / long[:, 0]) @ bags).astype(np.float32).tocsr()
    back = scaled.T.tocsr()
    right = np.asarray(back @ (targets - sums / long), np.float32)
    found, rest = np.zeros_like(first), right
    way, size = rest.copy(), (rest * rest).sum(axis=0)
    for _ in range(_ROUNDS):
        moved = np.asarray(back @ (scaled @ way), np.float32) + np.float32(pull) * way
        step = size / np.maximum((way * moved).sum(axis=0), 1e-12)
        found, rest = found + step * way, rest - step * moved
        new = (rest * rest).sum(axis=0)
        way, size = rest + new / np.maximum(size, 1e-12) * way, new
    return np.ascontiguousarray(first + found, dtype=np.float32)


def _joined(first: F32, used: I64, learned: F32) -> F32:
    """Return the table with what was learned in it; tokens that were never met grow as those did that were."""
    before, after = np.linalg.norm(first[used], axis=1), np.linalg.norm(learned, axis=1)
    grown = float(np.median((after / np.maximum(before, 1e-9))[before > 1e-6])) if (before > 1e-6).any() else 1.0
    found = first * np.float32(grown)
    found[used] = learned
    return found


def _axes(vectors: F32, dim: int) -> F32:  # (D, d) with d at most dim
    """Return the directions that keep most of the vectors' inner products."""
    _, axes = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1][:, :dim], dtype=np.float32)


def _widened(vectors: F32, dim: int) -> F32:
    """Return vectors with zeros behind them, where the teacher's are shorter than the table's."""
    return np.ascontiguousarray(np.pad(vectors, ((0, 0), (0, dim - vectors.shape[1]))), dtype=np.float32)


def _first(
    teacher: Backbone | Encoder, tokenizer: Tokenizer, ids: Sequence[Sequence[int]], config: StaticConfig, run: Run,
    axes: F32,
) -> F32:  # fmt: skip
    """Return the table before the lessons: what the teacher reads in each token, weighed by rarity."""
    n_tokens = tokenizer.get_vocab_size(with_added_tokens=True)
    rows = np.arange(n_tokens) if config.unseen else np.unique(flatten(ids)[0])
    read = _token_vectors(teacher, tokenizer, rows, run)
    if read.shape[1] != len(axes):  # the lessons are another model's: their directions mean nothing here
        axes = _axes(read, config.dim)
    counts = np.bincount(flatten(ids)[0], minlength=n_tokens) + 1.0
    common = counts / counts.sum()
    weights = (config.sif / (config.sif + common)).astype(np.float32)
    table = np.zeros((n_tokens, config.dim), np.float32)
    table[rows] = _widened((read - read.mean(axis=0)) @ axes, config.dim) * weights[rows, None]
    special = [row for row, token in tokenizer.get_added_tokens_decoder().items() if token.special]
    table[special] = 0
    return np.asarray(table, dtype=np.float32)


def _token_vectors(teacher: Backbone | Encoder, tokenizer: Tokenizer, rows: I64, run: Run) -> F32:  # (N, D)
    """Return each token read alone, between the marks that the tokenizer sets."""
    parts = [rows[at : at + _AT_ONCE].tolist() for at in range(0, len(rows), _AT_ONCE)]
    told = run.track(parts, "tokens", total=len(parts))
    if not isinstance(teacher, Backbone):
        return np.concatenate([teacher.encode([tokenizer.decode([row]) for row in part]) for part in told])
    before, after = _marks(tokenizer)
    found = []
    with seeded(run, "tokens"), torch.no_grad():
        for part in told:
            batch = teacher.padded([[*before, row, *after] for row in part])
            found.append(teacher.vectors(batch).float().cpu().numpy())
    return np.concatenate(found)


def _marks(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Return what the tokenizer writes before and behind a text."""
    one = tokenizer.encode(_ANY_WORD)
    own = [place for place, special in enumerate(one.special_tokens_mask) if not special]
    return (one.ids[: own[0]], one.ids[own[-1] + 1 :]) if own else ([], [])


def _tokenizer_of(teacher: Backbone | Encoder) -> str:
    if isinstance(teacher, Backbone):
        backend: Any = settled(teacher.tokenizer).backend_tokenizer
        return str(backend.to_str())
    if isinstance(teacher, ExportedEncoder):
        return teacher._checked("tokenizer.json").decode()
    return read_checked(shipped("minilm"), "tokenizer.json").decode()
