"""Training of the cross encoder, by torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.core.arrays import F32, I64
from inkling.core.run import Run
from inkling.encoders._backbone_folder import quiet
from inkling.encoders._backbone_torch import hidden_states, pooled
from inkling.encoders.backbone import Backbone, load_backbone
from inkling.ranking._cross_pairs import PairReader
from inkling.ranking._features import people_with_both
from inkling.ranking.base import RankingSet
from inkling.training.export import to_onnx
from inkling.training.loop import Around, Plan, seeded, train
from inkling.training.optim import Optim

if TYPE_CHECKING:
    from inkling.ranking.cross_encoder import CrossEncoder

_HELD_OUT, _LEAST_PEOPLE, _MOST_HELD = 0.1, 20, 100
_PRIOR_RATE, _HEAD_RATE = 0.03, 1e-3
_PRIOR_STEPS = 150
_SEGMENTED = {"bert", "ernie", "xlnet", "deberta", "deberta-v2"}


@dataclass(frozen=True)
class Learned:
    """What serving needs."""

    prior: F32
    pairs: PairReader
    graph: bytes


@dataclass(frozen=True)
class Lists:
    """Some people's candidates in a step: flat columns (N,) with the list that each belongs to."""

    rows: I64  # (N,) positions in the set
    lists: Tensor  # (N,)
    n: int

    def __len__(self) -> int:
        return self.n


class Lesson:
    """A set made ready: tokens of each pair are made when they are asked for, and kept."""

    def __init__(self, model: CrossEncoder, reader: PairReader, data: RankingSet) -> None:
        self.labels = torch.from_numpy(np.clip(data.labels, 0, 1).astype(np.float32))
        weights = np.ones(len(data.labels), dtype=np.float32) if data.weights is None else data.weights
        self.weights = torch.from_numpy(weights.astype(np.float32))
        self.numbers = torch.from_numpy(np.ascontiguousarray(model.numbers(data)))
        self.offsets = data.candidates.offsets
        self.people = people_with_both(data)
        self._reader, self._told, self._owner = reader, model.people(data.query), data.candidates.segment_rows
        self._items = model.items(data.candidates.item_rows)
        self._kept: dict[int, tuple[list[int], list[int]]] = {}

    def tokens(self, rows: I64) -> dict[str, Tensor]:
        """Return the pairs at ``rows`` as one padded batch."""
        new = [row for row in rows.tolist() if row not in self._kept]
        if new:
            told = [self._told[self._owner[row]] for row in new]
            self._kept.update(zip(new, self._reader.read(told, [self._items[row] for row in new]), strict=True))
        padded = self._reader.padded([self._kept[row] for row in rows.tolist()])
        return {name: torch.from_numpy(value) for name, value in padded.items()}

    def lists(self, people: I64, left_each: int, rng: np.random.Generator) -> Lists:
        """Return what each person took, and at most ``left_each`` of what they left."""
        rows: list[I64] = []
        for person in people.tolist():
            own = np.arange(self.offsets[person], self.offsets[person + 1])
            taken = self.labels[own].numpy() > 0
            left = own[~taken]
            rows.append(np.concatenate([own[taken], left[rng.permutation(len(left))[:left_each]]]))
        lists = torch.repeat_interleave(torch.arange(len(rows)), torch.tensor([len(one) for one in rows]))
        return Lists(np.concatenate(rows), lists, len(rows))


class Net(nn.Module):
    """A backbone with one number on top, which begins at 0, and the prior."""

    def __init__(self, backbone: Backbone, n_numbers: int) -> None:
        super().__init__()
        self.inner, self._backbone = backbone.model, backbone
        self.head = nn.Linear(backbone.dim, 1)
        self.prior = nn.Parameter(torch.zeros(n_numbers))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def logits(self, batch: dict[str, Tensor]) -> Tensor:
        """Return what the text says (N,)."""
        kind, card = self._backbone.kind, self._backbone.card
        given = batch if kind in _SEGMENTED else {k: v for k, v in batch.items() if k != "token_type_ids"}
        vectors = pooled(hidden_states(self.inner, kind, given), batch["attention_mask"], card.pooling, normalize=False)
        said: Tensor = self.head(vectors)[:, 0]
        return said

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return what the text says (N,), for export."""
        batch = {"input_ids": input_ids, "attention_mask": attention_mask}
        return self.logits(batch if token_type_ids is None else {**batch, "token_type_ids": token_type_ids})


def fit(model: CrossEncoder, data: RankingSet, run: Run, validation: RankingSet | None) -> Learned:
    """Train and export; see :meth:`inkling.ranking.cross_encoder.CrossEncoder.fit`."""
    config = model.config
    backbone = load_backbone(config.source)
    for module in backbone.model.modules():
        if isinstance(module, nn.Dropout):
            module.p = config.dropout
    reader = _reader(backbone, config.max_tokens)
    rng = run.rng(model.name)
    lesson, held = Lesson(model, reader, data), None if validation is None else Lesson(model, reader, validation)
    own, kept = _parted(lesson, held, rng)
    checked = held or lesson
    loss = _listwise if config.loss == "listwise" else _pointwise
    with seeded(run, model.name, "start"):
        net = Net(backbone, lesson.numbers.shape[1])
    _fit_prior(net, lesson, own, loss)
    told = checked.lists(kept, 3 * config.left_each, run.rng(model.name, "held out")) if len(kept) else None

    def batches(epoch: int) -> list[Lists]:
        dice = run.rng(model.name, "epoch", str(epoch))
        order = dice.permutation(own)
        parts = [order[at : at + config.lists] for at in range(0, len(order), config.lists)]
        return [lesson.lists(part, config.left_each, dice) for part in parts]

    def measure() -> float:
        found = [_measured(net, checked, part, loss) for part in _split(told)] if told is not None else []
        return -float(np.mean(found))

    plan = Plan(
        config.epochs, Optim(lr=config.learning_rate, weight_decay=config.weight_decay), shape="linear", warmup=0.1,
        patience=config.patience, max_seconds=config.max_seconds, clip=1.0,
    )  # fmt: skip
    around = Around(measure if told is not None else None, run.watch, groups=_groups(net, config), stage=model.name)
    train(net, batches, lambda batch: loss(_scores(net, lesson, batch), lesson, batch), plan, run, around)
    return Learned(net.prior.detach().cpu().numpy(), reader, _graph(net, reader, int8=config.int8))


def _reader(backbone: Backbone, max_tokens: int) -> PairReader:
    from inkling.encoders._backbone_export import _fast_tokenizer

    size = min(max_tokens, int(getattr(backbone.tokenizer, "model_max_length", max_tokens) or max_tokens))
    pad = int(backbone.tokenizer.pad_token_id)
    return PairReader(_fast_tokenizer(backbone), size, pad, causal=backbone.card.pooling == "last")


def _parted(lesson: Lesson, held: Lesson | None, rng: np.random.Generator) -> tuple[I64, I64]:
    """Return the people to learn from, and those that tell when to stop."""
    if held is not None:
        return lesson.people, rng.permutation(held.people)[:_MOST_HELD]
    order = rng.permutation(lesson.people)
    n = min(round(_HELD_OUT * len(order)), _MOST_HELD) if len(order) >= _LEAST_PEOPLE else 0
    return order[n:], order[:n]


def _groups(net: Net, config: Any) -> tuple[dict[str, Any], ...]:
    """Return parameters by how fast they move: the prior and the head have far to go."""
    inner = list(net.inner.parameters())
    return (
        {"params": inner},
        {"params": list(net.head.parameters()), "lr": max(_HEAD_RATE, config.learning_rate)},
        {"params": [net.prior], "lr": max(_PRIOR_RATE / 10, config.learning_rate), "weight_decay": 0.0},
    )


def _fit_prior(net: Net, lesson: Lesson, people: I64, loss: Callable[..., Tensor]) -> None:
    """Learn the prior alone first, so that the text begins where the numbers leave off."""
    if not len(net.prior) or not len(people):
        return
    whole = lesson.lists(people, int(np.diff(lesson.offsets).max(initial=1)), np.random.default_rng(0))
    numbers = lesson.numbers[torch.from_numpy(whole.rows)]
    optimizer = torch.optim.Adam([net.prior], lr=_PRIOR_RATE * 3)
    for _ in range(_PRIOR_STEPS):
        optimizer.zero_grad()
        value = loss(numbers @ net.prior, lesson, whole) + 1e-3 * net.prior.square().sum()
        value.backward()
        optimizer.step()


def _scores(net: Net, lesson: Lesson, batch: Lists) -> Tensor:
    """Return the whole logits (N,)."""
    numbers = lesson.numbers[torch.from_numpy(batch.rows)] @ net.prior
    return numbers + net.logits(lesson.tokens(batch.rows)).float()


def _measured(net: Net, lesson: Lesson, part: Lists, loss: Callable[..., Tensor]) -> float:
    return float(loss(_scores(net, lesson, part), lesson, part))


def _split(told: Lists, size: int = 8) -> list[Lists]:
    """Return lists in parts, so that few texts are in memory at a time."""
    parts = []
    for begin in range(0, told.n, size):
        own = (told.lists >= begin) & (told.lists < begin + size)
        parts.append(Lists(told.rows[own.numpy()], told.lists[own] - begin, min(size, told.n - begin)))
    return parts


def _listwise(logits: Tensor, lesson: Lesson, batch: Lists) -> Tensor:
    """Return the softmax cross-entropy of what was taken within its list (ListNet's top-one loss)."""
    rows = torch.from_numpy(batch.rows)
    top = torch.full((batch.n,), -torch.inf).scatter_reduce(0, batch.lists, logits.detach(), "amax")
    whole = torch.zeros(batch.n).index_add(0, batch.lists, (logits - top[batch.lists]).exp()).log() + top
    taken = lesson.labels[rows] * lesson.weights[rows]
    found: Tensor = ((whole[batch.lists] - logits) * taken).sum() / taken.sum().clamp_min(1e-6)
    return found


def _pointwise(logits: Tensor, lesson: Lesson, batch: Lists) -> Tensor:
    """Return the log loss of each item alone."""
    rows = torch.from_numpy(batch.rows)
    labels, weights = lesson.labels[rows], lesson.weights[rows]
    each = functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    return (each * weights).sum() / weights.sum().clamp_min(1e-6)


def _graph(net: Net, reader: PairReader, *, int8: bool) -> bytes:
    """Return the network as ONNX, traced with eager attention, whose graph has free sizes."""
    model: Any = net.inner
    with quiet():
        model.set_attn_implementation("eager")
    pairs = reader.read(["a red mug; a film about a train", "tea"], ["a cup", "a novel about the sea and a ship"])
    batch = {name: torch.from_numpy(value) for name, value in reader.padded(pairs).items()}
    if net._backbone.kind not in _SEGMENTED:
        del batch["token_type_ids"]
    free = {name: {0: "n", 1: "t"} for name in batch} | {"logits": {0: "n"}}
    graph = to_onnx(net.eval(), batch, ["logits"], free=free, atol=1e-3)
    if not int8:
        return graph
    from inkling.encoders._backbone_int8 import quantized

    return quantized(graph)
