"""How sequence models learn. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.retrieval._sequence_config import SequenceConfig
from inkling.retrieval._sequence_start import near_start
from inkling.training import losses
from inkling.training.export import to_onnx
from inkling.training.loop import Around, Plan, Trained, seeded, train
from inkling.training.nets.sequence import SequenceNet, Served
from inkling.training.nets.table import ItemTable
from inkling.training.optim import Optim
from inkling.training.samplers import Popularity, Uniform
from inkling.training.sequences import Batch, Epoch, Sequences, parts

if TYPE_CHECKING:
    from inkling.retrieval._sequence import SequenceModel

Earlier = tuple[Mapping[str, Array], I32 | None]
_WEIGHTS = "weights."
_STD = 0.02
_FEWEST = 20  # people without whom a validation says nothing
_ASKED = 256


def fit_sequences(
    model: SequenceModel,
    data: Dataset,
    events: Interactions,
    run: Run,
    *,
    texts: F32 | None,
    earlier: Earlier | None,
) -> dict[str, Array]:
    """Return the state of a fitted sequence model.

    Raises:
        DataError: Nobody has two events in a row.
    """
    timed = data.scenario.time == "real"
    everyone = by_person(events, timed=timed)
    if not (everyone.lengths > 1).any():
        raise DataError(f"'{model.name}' cannot be fitted: nobody has two positive events.", hint="Use 'popular'.")
    counts = np.bincount(events.item_rows, minlength=data.n_items)
    held = _held_out(everyone, model.config, run.rng(model.name, "validation"))
    learned = _without_last(everyone, held)
    with seeded(run, model.name, "start"):
        # What is held out is not known to where items begin either, or the validation would praise what it saw.
        start = _start(model, learned, data.n_items, earlier, run)
        net = _network(model, start, texts, earlier).to(run.device)
        around = Around(watch=model.watch, stage=model.name, groups=_groups(net, model.config.weight_decay))
        if len(held):
            drop = data.scenario.seen == "drop"
            measure = Validation(net, everyone, held, counts > 0, model.config.length, drop=drop)
            around = replace(around, measure=measure)
        lesson = _Lesson(model, net, objective(net, model.config, counts), run)
        _learn(lesson, learned, around, warm=earlier is not None)
        if model.config.finish and len(held):
            _finish(lesson, everyone, around)
        return _state(model, net.cpu().eval(), counts > 0, timed=timed)


def by_person(events: Interactions, *, timed: bool) -> Sequences:
    """Return each person's events, oldest first."""
    known = np.flatnonzero(events.user_rows >= 0)
    order = known[np.argsort(events.user_rows[known], kind="stable")]
    users = events.user_rows[order]
    starts = np.flatnonzero(np.concatenate([[True], users[1:] != users[:-1]])) if len(users) else np.empty(0)
    offsets = np.concatenate([starts, [len(users)]]).astype(np.int64)
    times = events.ts[order] // 1000 if timed else np.zeros(len(order), dtype=np.int64)
    return Sequences(offsets, events.item_rows[order], times, events.positive[order])


def _start(model: SequenceModel, everyone: Sequences, n_items: int, earlier: Earlier | None, run: Run) -> Tensor:
    """Return the items' own vectors (n_items, d) to begin with: random, by co-occurrence, or an earlier model's."""
    config = model.config
    start = torch.randn(n_items, config.dim) * _STD
    if config.start == "near" and earlier is None:
        start += torch.from_numpy(near_start(everyone, (n_items, config.dim), run.rng(model.name, "near")))
    if earlier is None or earlier[0]["ids"].shape[1] != config.dim:
        return start
    ids, known = earlier[0]["ids"].astype(np.float32), earlier[0]["known"]
    rows = np.arange(n_items) if earlier[1] is None else earlier[1]
    has = (rows >= 0) & (rows < len(ids))
    has[has] = known[rows[has]]
    start[torch.from_numpy(has)] = torch.from_numpy(ids[rows[has]])
    return start


def _network(model: SequenceModel, start: Tensor, texts: F32 | None, earlier: Earlier | None) -> SequenceNet:
    config = model.config
    table = ItemTable(start, texts=None if texts is None else torch.from_numpy(texts), forget=config.forget)
    net = SequenceNet(table, model.body(), cosine=config.compare == "cosine", scale=config.scale)
    if earlier is not None:
        own = net.state_dict()
        carried = {name: torch.tensor(earlier[0][_WEIGHTS + name]) for name in own if _WEIGHTS + name in earlier[0]}
        net.load_state_dict({n: v for n, v in carried.items() if v.shape == own[n].shape}, strict=False)
    return net


@dataclass(frozen=True)
class _Lesson:
    """Who learns, and by what."""

    model: SequenceModel
    net: SequenceNet
    loss: Callable[[Batch], Tensor]
    run: Run


def _learn(lesson: _Lesson, learned: Sequences, around: Around, *, warm: bool) -> None:
    config: SequenceConfig = lesson.model.config
    epochs = max(math.ceil(config.epochs * config.warm), 1) if warm else config.epochs
    _pass(lesson, learned, plan(config, epochs), around)


def _finish(lesson: _Lesson, everyone: Sequences, around: Around) -> None:
    """Go on with everything, what was held out too."""
    config: SequenceConfig = lesson.model.config
    rest = replace(plan(config, config.finish), shape="linear", warmup=0.0)
    _pass(lesson, everyone, rest, replace(around, measure=None, stage=f"{around.stage}, everything"))


def plan(config: SequenceConfig, epochs: int) -> Plan:
    """Return how long and how to train."""
    return Plan(
        epochs=epochs,
        optim=Optim("adamw", lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98)),
        shape=config.schedule,
        warmup=config.warmup,
        patience=config.patience,
        max_seconds=config.max_seconds,
        clip=config.clip,
        ema=config.ema,
        bf16=config.bf16,
    )


def _pass(lesson: _Lesson, learned: Sequences, wanted: Plan, around: Around) -> Trained:
    model, run = lesson.model, lesson.run
    config: SequenceConfig = model.config
    cut = learned.windows(config.length) if config.windows == "all" else learned.last(config.length)
    sequences = cut.longer(model.shortest - 1)

    def batches(epoch: int) -> Epoch:
        rng = run.rng(model.name, around.stage, str(epoch))
        groups = parts(sequences, config.batch_tokens, rng)
        return Epoch(groups, lambda index: model.batch(sequences, index, rng).to(run.device))

    return train(lesson.net, batches, lesson.loss, wanted, run, around)


def objective(net: SequenceNet, config: SequenceConfig, counts: I64) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch."""
    if config.loss == "softmax":
        return lambda batch: losses.softmax(net(batch), net.items(), batch.targets, bf16=config.bf16)
    device = str(net.table.ids.device)
    sampler = (
        Popularity(torch.from_numpy(counts).to(device), alpha=config.popularity)
        if config.popularity > 0
        else Uniform(len(counts), device=device)
    )
    beta = losses.gbce_beta(config.negatives, len(counts), t=config.calibration) if config.loss == "gbce" else 1.0

    def sampled(batch: Batch) -> Tensor:
        drawn, log_q = sampler.draw((config.negatives,), torch.default_generator)
        people = net(batch)
        positive = (people * net.items(batch.targets)).sum(dim=-1)
        negative = people @ net.items(drawn).T
        hits = batch.targets[:, None] == drawn
        if config.loss == "sampled":
            return losses.sampled_softmax(
                positive, negative, log_expected=log_q + math.log(config.negatives), hits=hits
            )
        negative = negative.masked_fill(hits, -30.0)  # far below: it adds nothing to any of these losses
        if config.loss == "bpr":
            return losses.bpr(positive, negative)
        return losses.gbce(positive, negative, beta=beta)

    return sampled


def _groups(net: SequenceNet, weight_decay: float) -> tuple[dict[str, Any], ...]:
    """Return matrices, which decay, and the rest (norms, biases, the scale), which does not."""
    named = [(name, value) for name, value in net.named_parameters() if value.requires_grad]
    matrices = [value for name, value in named if value.ndim > 1 and "bias" not in name]
    rest = [value for name, value in named if value.ndim <= 1 or "bias" in name]
    return {"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}


def _held_out(everyone: Sequences, config: SequenceConfig, rng: np.random.Generator) -> I64:
    """Return the numbers of people whose last event is held out: it is a target, and two more are before it."""
    could = np.flatnonzero(everyone.lengths > 2)
    could = could[everyone.target[everyone.offsets[1:][could] - 1]]
    n = min(int(len(everyone) * config.validation), config.validation_people, len(could))
    return np.sort(rng.choice(could, n, replace=False)) if n >= _FEWEST else np.empty(0, dtype=np.int64)


def _without_last(everyone: Sequences, held: I64) -> Sequences:
    """Return all sequences, those of ``held`` without their last item."""
    keep = np.ones(len(everyone.items), dtype=np.bool_)
    keep[everyone.offsets[1:][held] - 1] = False
    offsets = np.concatenate([[0], np.cumsum(keep)])[everyone.offsets]
    return Sequences(offsets, everyone.items[keep], everyone.times[keep], everyone.target[keep])


class Validation:
    """NDCG@10 of the held-out last events, ranked among all items that happened."""

    def __init__(
        self, net: SequenceNet, everyone: Sequences, held: I64, there: Bool, length: int, *, drop: bool
    ) -> None:
        """Take who is held out; ``drop`` takes what they had out of the answer."""
        self._net, self._everyone, self._held, self._length, self._drop = net, everyone, held, length, drop
        self._absent = torch.from_numpy(~there)

    def __call__(self) -> float:
        """Return the mean over people."""
        device = self._net.table.ids.device
        items = self._net.items()
        absent = self._absent.to(device)
        gains = [
            self._gains(self._held[begin : begin + _ASKED], items, absent)
            for begin in range(0, len(self._held), _ASKED)
        ]
        return float(torch.cat(gains).mean().item())

    def _gains(self, who: I64, items: Tensor, absent: Tensor) -> Tensor:
        ends = self._everyone.offsets[1:][who] - 1
        lengths = np.minimum(self._everyone.lengths[who] - 1, self._length)
        within = np.arange(int(lengths.max()))[None, :]
        flat = np.minimum((ends - lengths)[:, None] + within, ends[:, None])
        rows = torch.from_numpy(self._everyone.items[flat].astype(np.int64)).to(items.device)
        times = torch.from_numpy(self._everyone.times[flat]).to(items.device)
        targets = torch.from_numpy(self._everyone.items[ends].astype(np.int64)).to(items.device)
        given = torch.from_numpy(lengths).to(items.device)
        net = self._net
        people = net.person(net.body.last(net.read(items[rows]), times, given))
        scores = (people @ items.T).masked_fill(absent, -math.inf)
        if self._drop:
            scores = self._without_own(scores, who, targets)
        rank = (scores > scores.gather(1, targets[:, None])).sum(dim=1)
        return torch.where(rank < 10, 1.0 / torch.log2(rank + 2.0), 0.0)

    def _without_own(self, scores: Tensor, who: I64, targets: Tensor) -> Tensor:
        """Take out what people had before; a target that they had too stays."""
        own = [self._everyone.items[a:b] for a, b in zip(*self._bounds(who), strict=True)]
        place = np.repeat(np.arange(len(who)), [len(part) for part in own])
        kept = scores.gather(1, targets[:, None])
        columns = torch.from_numpy(np.concatenate(own).astype(np.int64)).to(scores.device)
        scores[torch.from_numpy(place).to(scores.device), columns] = -math.inf
        return scores.scatter(1, targets[:, None], kept)

    def _bounds(self, who: I64) -> tuple[I64, I64]:
        return self._everyone.offsets[who], self._everyone.offsets[1:][who] - 1


def _state(model: SequenceModel, net: SequenceNet, seen: Bool, *, timed: bool) -> dict[str, Array]:
    config: SequenceConfig = model.config
    state: dict[str, Array] = {
        _WEIGHTS + name: value.numpy().astype(np.float32)
        for name, value in net.state_dict().items()
        if name != "table.ids"
    }
    with torch.no_grad():
        ids = net.table.ids * torch.from_numpy(seen)[:, None]  # what was never trained says nothing
        state["ids"] = ids.numpy().astype(np.float16)
        if net.table.project is not None:
            state["said"] = net.table.project(net.table.texts).numpy().astype(np.float16)
    said = state.get("said")
    state["known"] = seen if said is None else seen | said.any(axis=1)
    example = {
        "vectors": torch.randn(2, min(3, config.length), config.dim),
        "times": torch.arange(2 * min(3, config.length)).reshape(2, -1) * 1000,
        "lengths": torch.tensor([min(3, config.length), 2]),
    }
    free = {"vectors": {0: "b", 1: "l"}, "times": {0: "b", 1: "l"}, "lengths": {0: "b"}, "people": {0: "b"}}
    graph = to_onnx(Served(net), example, ["people"], free=free, atol=1e-3)
    state["graph"], state["timed"] = np.frombuffer(graph, dtype=np.uint8), np.array([timed])
    return state
