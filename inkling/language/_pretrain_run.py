"""The work of pretraining: batches of each objective, their losses, one training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from inkling.core.arrays import I64
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.encoders._backbone_torch import pooled
from inkling.encoders.backbone import Backbone
from inkling.language._pretrain_heads import mask_id
from inkling.language._pretrain_text import IGNORED, Corpus, Hiding, followers, hide, paired

if TYPE_CHECKING:
    from inkling.language.pretrain import PretrainConfig

_ALIKE = 50  # batches whose texts are sorted by length together: little padding, much mixing


@dataclass(frozen=True)
class Batch:
    """Rows of one objective: what is read and what is to be told."""

    objective: str
    inputs: Mapping[str, Tensor]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Rows:
    """Texts as tokens; a text longer than a row goes on in the next."""

    ids: list[list[int]]
    marks: list[list[int]]
    words: list[list[int]] = field(default_factory=list)  # -1 at marks; empty where words do not matter

    def __len__(self) -> int:
        return len(self.ids)


class Epoch:
    """Batches that are made when their turn comes."""

    def __init__(self, makers: Sequence[Callable[[], Batch]], tell: Callable[[int, int], None] | None = None) -> None:
        self._makers, self._tell = makers, tell

    def __len__(self) -> int:
        return len(self._makers)

    def __iter__(self) -> Iterator[Batch]:
        for done, make in enumerate(self._makers, start=1):
            yield make()
            if self._tell is not None:
                self._tell(done, len(self))


class Learner(nn.Module):
    """A language model with its heads; the loss of a batch."""

    def __init__(self, backbone: Backbone, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.network, self.heads, self.backbone = backbone.model, heads, backbone

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return logits of what is asked and what would be right, rows of each."""
        hidden = self.backbone.hidden(batch.inputs)
        if batch.objective == "nsp":
            pooling = self.backbone.card.pooling
            vectors = pooled(hidden, batch.inputs["attention_mask"], pooling, normalize=False)
            return self.heads["nsp"](vectors).squeeze(-1), batch.labels
        asked = batch.labels != IGNORED
        table = self.network.get_input_embeddings().weight  # type: ignore[operator]
        return self.heads[batch.objective](hidden[asked], table), batch.labels[asked]

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean loss."""
        logits, right = self(batch)
        if batch.objective == "nsp":
            return nn.functional.binary_cross_entropy_with_logits(logits.float(), right.float())
        return nn.functional.cross_entropy(logits.float(), right)


class Reading:
    """The texts of one part as batches of each objective."""

    def __init__(self, backbone: Backbone, texts: Sequence[str], config: PretrainConfig) -> None:
        self.backbone, self.config = backbone, config
        words = [name for name in config.objectives if name != "nsp"]
        self.rows = self._tokens(texts) if words else Rows([], [])
        self.pairs = followers(texts) if "nsp" in config.objectives else []
        if "nsp" in config.objectives and not self.pairs:
            raise DataError("nsp: no text has two sentences.", hint="Use the objective mlm or clm.")
        self._hiding = self._how() if "mlm" in words else None

    def _tokens(self, texts: Sequence[str]) -> Rows:
        tokenizer: Any = self.backbone.tokenizer
        found = tokenizer(
            list(texts), truncation=True, max_length=self.config.max_tokens, return_special_tokens_mask=True,
            return_attention_mask=False, return_overflowing_tokens=bool(tokenizer.is_fast),
        )  # fmt: skip
        words = []
        if self.config.whole_words:
            words = [[-1 if w is None else w for w in found.word_ids(row)] for row in range(len(found["input_ids"]))]
        return Rows(found["input_ids"], found["special_tokens_mask"], words)

    def _how(self) -> Hiding:
        tokenizer: Any = self.backbone.tokenizer
        hider = mask_id(tokenizer)
        special = {*tokenizer.all_special_ids, hider}
        others = np.array([row for row in range(len(tokenizer)) if row not in special], np.int64)
        return Hiding(self.config.mask_share, int(hider or 0), others)

    def epoch(self, rng: np.random.Generator, tell: Callable[[int, int], None] | None = None) -> Epoch:
        """Return the batches of all objectives, mixed; ``tell`` hears how many of them were used."""
        makers: list[Callable[[], Batch]] = []
        for name in self.config.objectives:
            if name == "nsp":
                pairs = paired(self.pairs, rng)
                order = rng.permutation(len(pairs))
                makers += [partial(self._pairs, [pairs[at] for at in part]) for part in self._parts(order)]
            else:
                sizes = np.array([len(ids) for ids in self.rows.ids])
                usable = np.flatnonzero(sizes > 1)
                order = _alike(rng.permutation(usable), sizes, self.config.batch * _ALIKE)
                make = self._hidden if name == "mlm" else self._next
                makers += [partial(make, part, int(rng.integers(2**62))) for part in self._parts(order)]
        return Epoch([makers[at] for at in rng.permutation(len(makers))], tell)

    def _parts(self, order: I64) -> list[list[int]]:
        size = self.config.batch
        return [order[start : start + size].tolist() for start in range(0, len(order), size)]

    def _hidden(self, part: list[int], seed: int) -> Batch:
        batch = self.backbone.padded([self.rows.ids[row] for row in part])
        ids, width = batch["input_ids"].cpu().numpy(), batch["input_ids"].shape[1]
        may = _wide([self.rows.marks[row] for row in part], width, 1) == 0
        words = _wide([self.rows.words[row] for row in part], width, -1) if self.rows.words else None
        assert self._hiding is not None
        read, told = hide(ids, may, words, self._hiding, np.random.default_rng(seed))
        device = batch["input_ids"].device
        inputs = {**batch, "input_ids": torch.from_numpy(read).to(device)}
        return Batch("mlm", inputs, torch.from_numpy(told).to(device))

    def _next(self, part: list[int], seed: int) -> Batch:
        batch = self.backbone.padded([self.rows.ids[row] for row in part])
        told = torch.full_like(batch["input_ids"], IGNORED)
        told[:, :-1] = batch["input_ids"][:, 1:].masked_fill(batch["attention_mask"][:, 1:] == 0, IGNORED)
        return Batch("clm", batch, told)

    def _pairs(self, pairs: list[tuple[str, str, int]]) -> Batch:
        tokenizer: Any = self.backbone.tokenizer
        given = tokenizer(
            [p[0] for p in pairs], [p[1] for p in pairs], truncation=True, max_length=self.config.max_tokens,
            padding=True, return_tensors="pt",
        )  # fmt: skip
        device = next(self.backbone.model.parameters()).device
        return Batch("nsp", {k: v.to(device) for k, v in given.items()}, torch.tensor([p[2] for p in pairs]).to(device))


def _alike(order: I64, sizes: I64, n: int) -> I64:
    """Return the order with each ``n`` rows sorted by length."""
    parts = [order[start : start + n] for start in range(0, len(order), n)]
    return np.concatenate([part[np.argsort(sizes[part], kind="stable")] for part in parts] or [order])


def _wide(rows: Sequence[Sequence[int]], width: int, rest: int) -> I64:
    out = np.full((len(rows), width), rest, np.int64)
    for at, row in enumerate(rows):
        out[at, : len(row)] = row
    return out


def held_losses(learner: Learner, batches: Sequence[Batch]) -> dict[str, float]:
    """Return the mean loss of each objective over all that is asked, without dropout."""
    sums: dict[str, list[float]] = {}
    was = learner.training
    learner.eval()
    with torch.no_grad():
        for batch in batches:
            n = len(batch) if batch.objective == "nsp" else int((batch.labels != IGNORED).sum())
            if n:
                sums.setdefault(batch.objective, []).extend([float(learner.loss(batch)) * n, float(n)])
    learner.train(was)
    return {name: sum(found[::2]) / sum(found[1::2]) for name, found in sums.items()}


def yardsticks(reading: Reading, held: Sequence[Batch]) -> dict[str, float]:
    """Return the loss of knowing nothing but how often each token occurs; for pairs, of a coin."""
    n_tokens = len(reading.backbone.tokenizer)
    flat = np.fromiter((i for ids in reading.rows.ids for i in ids), np.int64)
    counts = np.bincount(flat, minlength=n_tokens) + 1.0
    surprise = -np.log(counts / counts.sum())
    found: dict[str, float] = {}
    for name in reading.config.objectives:
        told = [b.labels[b.labels != IGNORED].cpu().numpy() for b in held if b.objective == name]
        found[name] = math.log(2) if name == "nsp" else float(surprise[np.concatenate(told)].mean()) if told else 0.0
    return found


def readings(backbone: Backbone, corpus: Corpus, config: PretrainConfig, run: Run) -> tuple[Reading, list[Batch]]:
    """Return what is trained on, and the batches that are only measured, the same in every run of a seed."""
    held = Reading(backbone, corpus.held, config)
    return Reading(backbone, corpus.train, config), list(held.epoch(run.rng("pretrain", "held")))
