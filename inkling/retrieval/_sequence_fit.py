"""How sequence models learn. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

import math
import time
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
from inkling.retrieval._sequence_measure import Validation
from inkling.retrieval._sequence_start import near_start, turned_onto
from inkling.training import losses
from inkling.training.export import to_onnx
from inkling.training.loop import Around, Plan, Trained, seeded, train
from inkling.training.nets.sequence import SequenceNet, Served
from inkling.training.nets.table import ItemTable
from inkling.training.optim import Optim
from inkling.training.parallel import world
from inkling.training.samplers import Popularity
from inkling.training.sequences import Batch, Epoch, Sequences, parts

if TYPE_CHECKING:
    from inkling.retrieval._sequence import SequenceModel

Earlier = tuple[Mapping[str, Array], I32]  # its state, and each item's row in it (-1: none)
WEIGHTS = "weights."
_STD = 0.02
_FEWEST = 20  # people without whom a validation says nothing
# A step costs what its events cost, and once the catalogue (gradients, moments): the second shall not be most of it.
_ITEMS_PER_TOKEN = 20


def fit_sequences(
    model: SequenceModel,
    data: Dataset,
    events: Interactions,
    run: Run,
    *,
    texts: F32 | None,
    earlier: Earlier | None,
) -> dict[str, Array]:
    """Return the state of a fitted sequence model. Under torchrun, processes share each batch and all return the same.

    Raises:
        DataError: Nobody has two events in a row.
    """
    begin = time.perf_counter()
    timed = data.scenario.time == "real"
    everyone = by_person(events, timed=timed)
    if not (everyone.lengths > 1).any():
        raise DataError(f"'{model.name}' cannot be fitted: nobody has two positive events.", hint="Use 'popular'.")
    counts = np.bincount(events.item_rows, minlength=data.n_items)
    held = _held_out(everyone, model.config, run.rng(model.name, "validation"))
    learned = _without_last(everyone, held)
    with world() as place, seeded(run, model.name, "start"):
        # What is held out is not known to where items begin either, or the validation would praise what it saw.
        net = _network(model, learned, (data.n_items, model.config.dim), texts, run, earlier).to(run.device)
        place.same_start(net)
        groups = _groups(net, model.config.weight_decay)
        around = Around(watch=model.watch or run.watch, stage=model.name, groups=groups, world=place)
        if len(held):
            drop = data.scenario.seen == "drop"
            measure = Validation(net, everyone, held, counts > 0, model.config.length - model.room, drop=drop)
            around = replace(around, measure=measure)
        lesson = _Lesson(model, net, objective(net, model.config, counts), run, begin)
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


def _network(
    model: SequenceModel,
    learned: Sequences,
    shape: tuple[int, int],
    texts: F32 | None,
    run: Run,
    earlier: Earlier | None,
) -> SequenceNet:
    """Return the network with items where they begin: anywhere, near each other, or where an earlier model had them."""
    config: SequenceConfig = model.config
    table = ItemTable(
        torch.randn(shape) * _STD, texts=None if texts is None else torch.from_numpy(texts), forget=config.forget
    )
    net = SequenceNet(table, model.body(), cosine=config.compare == "cosine", scale=config.scale)
    if earlier is not None:
        own = net.state_dict()
        carried = {name: torch.tensor(earlier[0][WEIGHTS + name]) for name in own if WEIGHTS + name in earlier[0]}
        net.load_state_dict({n: v for n, v in carried.items() if v.shape == own[n].shape}, strict=False)
    rng = run.rng(model.name, "near")
    near = near_start(learned, shape, rng) if config.start == "near" else np.zeros(shape, dtype=np.float32)
    anchors, fixed = _anchors(table, shape, earlier)
    with torch.no_grad():
        # In the earlier model's space, where texts and common items say what that is.
        table.ids.add_(torch.from_numpy(turned_onto(near, anchors)))
        table.ids[torch.from_numpy(fixed)] = torch.from_numpy(anchors[fixed])
    return net


def _anchors(table: ItemTable, shape: tuple[int, int], earlier: Earlier | None) -> tuple[F32, Bool]:
    """Return where the earlier model has items (n, d), by id or by text, zeros elsewhere; and which are there by id."""
    anchors, fixed = np.zeros(shape, dtype=np.float32), np.zeros(shape[0], dtype=np.bool_)
    if earlier is None or earlier[0]["ids"].shape[1] != shape[1]:
        return anchors, fixed
    state, rows = earlier
    if table.project is not None and state.get(WEIGHTS + "table.project.weight", np.empty(0)).shape == tuple(
        table.project.weight.shape
    ):
        with torch.no_grad():
            anchors += table.said(table.texts).numpy()
    ids, known = state["ids"].astype(np.float32), state["known"]
    fixed = (rows >= 0) & (rows < len(ids))
    fixed[fixed] = known[rows[fixed]]
    anchors[fixed] = ids[rows[fixed]]
    return anchors, fixed


@dataclass(frozen=True)
class _Lesson:
    """Who learns, and by what."""

    model: SequenceModel
    net: SequenceNet
    loss: Callable[[Batch], Tensor]
    run: Run
    begin: float  # of the fit, on the clock that measures its budget


def _learn(lesson: _Lesson, learned: Sequences, around: Around, *, warm: bool) -> None:
    config: SequenceConfig = lesson.model.config
    epochs = max(math.ceil(config.epochs * config.warm), 1) if warm else config.epochs
    _pass(lesson, learned, plan(config, epochs, lesson.begin), around)


def _finish(lesson: _Lesson, everyone: Sequences, around: Around) -> None:
    """Go on with everything, what was held out too."""
    config: SequenceConfig = lesson.model.config
    rest = replace(plan(config, config.finish, lesson.begin), shape="linear", warmup=0.0)
    _pass(lesson, everyone, rest, replace(around, measure=None, stage=f"{around.stage}, everything"))


def plan(config: SequenceConfig, epochs: int, begin: float) -> Plan:
    """Return how long and how to train; what the fit took since ``begin`` is taken off its budget."""
    left = max(config.max_seconds - (time.perf_counter() - begin), 1e-3) if config.max_seconds else 0.0
    return Plan(
        epochs=epochs,
        optim=Optim("adamw", lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98)),
        shape=config.schedule,
        warmup=config.warmup,
        patience=config.patience,
        max_seconds=left,
        clip=config.clip,
        ema=config.ema,
        bf16=config.bf16,
    )


def _pass(lesson: _Lesson, learned: Sequences, wanted: Plan, around: Around) -> Trained:
    model, run = lesson.model, lesson.run
    config: SequenceConfig = model.config
    cut = learned.windows(config.length) if config.windows == "all" else learned.last(config.length)
    sequences = cut.longer(model.shortest - 1)
    n_tokens = max(config.batch_tokens, lesson.net.table.ids.shape[0] // _ITEMS_PER_TOKEN)

    def batches(epoch: int) -> Epoch:
        rng = run.rng(model.name, around.stage, str(epoch))
        mine = [around.world.mine(group) for group in parts(sequences, n_tokens, rng)]
        together = around.world.size > 1
        return Epoch(mine, lambda index: model.batch(sequences, index, rng).to(run.device), all_of_them=together)

    def loss(batch: Batch) -> Tensor:
        return lesson.loss(batch) if len(batch) else lesson.net.table.ids.sum() * 0.0

    return train(lesson.net, batches, loss, wanted, run, around)


def objective(net: SequenceNet, config: SequenceConfig, counts: I64) -> Callable[[Batch], Tensor]:
    """Return the loss of a batch; what never happened is no negative, or new items would be learned away."""
    device = str(net.table.ids.device)
    if config.loss == "softmax":
        happened = torch.from_numpy(np.flatnonzero(counts)).to(device)
        place = torch.from_numpy(np.cumsum(counts > 0) - 1).to(device)
        return lambda batch: losses.softmax(net(batch), net.items(happened), place[batch.targets], bf16=config.bf16)
    sampler = Popularity(torch.from_numpy(counts).to(device), alpha=config.popularity)
    n_happened = int((counts > 0).sum())
    beta = losses.gbce_beta(config.negatives, n_happened, t=config.calibration) if config.loss == "gbce" else 1.0

    def sampled(batch: Batch) -> Tensor:
        drawn, log_q = sampler.draw((config.negatives,), torch.default_generator)
        # Looked up together, for each look-up's gradient is as large as the catalogue.
        rows = torch.cat([batch.items.flatten(), batch.targets, drawn])
        read, right, wrong = torch.split(net.items(rows), [batch.items.numel(), len(batch.targets), len(drawn)])
        people = net(batch, read.view(*batch.items.shape, -1))
        positive = (people * right).sum(dim=-1)
        negative = people @ wrong.T
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


def _state(model: SequenceModel, net: SequenceNet, seen: Bool, *, timed: bool) -> dict[str, Array]:
    config: SequenceConfig = model.config
    state: dict[str, Array] = {
        WEIGHTS + name: value.numpy().astype(np.float32)
        for name, value in net.state_dict().items()
        if name != "table.ids"
    }
    with torch.no_grad():
        ids = net.table.ids * torch.from_numpy(seen)[:, None]  # what was never trained says nothing
        state["ids"] = ids.numpy().astype(np.float16)
        if net.table.project is not None:
            state["said"] = net.table.said(net.table.texts).numpy().astype(np.float16)
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
