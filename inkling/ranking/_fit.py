"""Training of the networks among the rankers, by torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.core.arrays import F32, F64, I64
from inkling.core.run import Run
from inkling.ranking._inputs import Inputs
from inkling.ranking._position import propensities_of_random
from inkling.training.loop import Around, Plan
from inkling.training.loop import train as train_loop
from inkling.training.optim import Optim

Forward = Callable[[Any, Mapping[str, Any], Inputs, Callable[[Any], Any]], Any]

_UNKNOWN = 0.05  # share of candidates whose id is hidden in training, so that it is learned what to do without one
_LEAST_STEPS, _LEAST_BATCH = 30, 128  # few examples are cut into smaller batches than was said
_FAST = 20.0  # a place is one number and has far to go: it moves so many times faster than a weight


@dataclass(frozen=True)
class Lesson:
    """Candidates with what happened to them, as tensors."""

    inputs: Inputs
    lists: Tensor  # (N,) the list that each belongs to
    labels: Tensor  # (N,), or (N, tasks)
    weights: Tensor  # (N,)
    positions: Tensor | None  # (N,)

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, plain: Mapping[str, Any], device: str) -> Lesson:
        """Return arrays as tensors."""
        there = {key: torch.as_tensor(plain[key], device=device) for key in ("labels", "weights")}
        inputs = Inputs(*(torch.as_tensor(part, device=device) for part in plain["inputs"]))
        lengths = torch.as_tensor(np.diff(plain["offsets"]), device=device)
        lists = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths)
        places = plain["positions"]
        at = None if places is None else torch.as_tensor(places, device=device).long()
        return cls(inputs, lists, there["labels"], there["weights"], at)

    def rows(self, rows: I64, *, hide: F32 | None = None) -> Lesson:
        """Return some candidates; ids where ``hide`` (M,) is below the share are hidden."""
        at = torch.as_tensor(rows, device=self.labels.device)
        people, own = torch.unique(self.inputs.people[at], return_inverse=True)
        items = self.inputs.items[at]
        if hide is not None:
            items = torch.where(torch.as_tensor(hide < _UNKNOWN, device=items.device), 0, items)
        inputs = Inputs(self.inputs.x[at], items, own, self.inputs.history[people], self.inputs.ages[people])
        positions = None if self.positions is None else self.positions[at]
        return Lesson(inputs, self.lists[at], self.labels[at], self.weights[at], positions)


class Net(nn.Module):
    """A formula over named parameters, and the tower of places beside it, which starts at ``places`` (P,)."""

    def __init__(
        self, forward: Forward, start: Mapping[str, F32], *, dropout: float, places: F64 | None = None
    ) -> None:
        super().__init__()
        self.formula, self.share = forward, dropout
        self.p = nn.ParameterDict({_key(name): nn.Parameter(torch.tensor(value)) for name, value in start.items()})
        self.places: nn.Parameter | None = None
        if places is not None:
            likely = np.clip(places, 0.02, 0.98)
            self.places = nn.Parameter(torch.tensor(np.log(likely / (1 - likely)) / _FAST, dtype=torch.float32))

    def forward(self, inputs: Inputs) -> Tensor:
        """Return logits (N,) or (N, tasks)."""
        named = {_name(key): value for key, value in self.p.items()}
        found: Tensor = self.formula(torch, named, inputs, self._drop)
        return found

    def _drop(self, hidden: Tensor) -> Tensor:
        return functional.dropout(hidden, self.share, training=self.training)

    def seen(self, positions: Tensor | None) -> Tensor | None:
        """Return the log of how likely each place (N,) is looked at; the first always is, as is one not known."""
        if self.places is None or positions is None:
            return None
        logs = functional.logsigmoid(_FAST * self.places)
        inside = (positions > 0) & (positions < len(logs))
        return torch.where(inside, logs[positions.clamp(0, len(logs) - 1)], torch.zeros_like(logs[:1]))


def train(
    forward: Forward,
    start: Mapping[str, F32],
    lessons: Sequence[Mapping[str, Any]],
    plan: Mapping[str, Any],
    *,
    run: Run,
    name: str,
) -> dict[str, F32]:
    """Return trained parameters.

    Args:
        forward: Logits by (torch, parameters, inputs, dropout).
        start: Parameters before training.
        lessons: What is learned from; and, if there are two, what tells when to stop.
        plan: Epochs, patience, batch, learning rate, weight decay, dropout, loss.
        run: Seed, threads, device, progress.
        name: The model's name.
    """
    first, *held = [Lesson.of(one, run.device) for one in lessons]
    places = _rates(lessons[0])
    net = Net(forward, start, dropout=plan["dropout"], places=places).to(run.device)
    loss = LOSSES[plan["loss"]]
    whole, size = plan["loss"] == "listwise", min(plan["batch"], max(len(first) // _LEAST_STEPS, _LEAST_BATCH))

    def batches(epoch: int) -> list[Lesson]:
        rng = run.rng(name, "epoch", str(epoch))
        chosen = _shuffled(first, size, rng, whole=whole)
        return [first.rows(rows, hide=rng.random(len(rows), dtype=np.float32)) for rows in chosen]

    def measure() -> float:
        return -float(np.mean([float(loss(net, part)) for part in _in_order(held[0], plan["batch"])]))

    optim = Optim(lr=plan["learning_rate"], weight_decay=plan["weight_decay"])
    course = Plan(plan["epochs"], optim, shape="cosine", warmup=0.02, patience=plan["patience"], clip=1.0)
    around = Around(measure if held else None, run.watch, stage=name)
    train_loop(net, batches, lambda batch: loss(net, batch), course, run, around)
    return {_name(key): value.detach().cpu().numpy() for key, value in net.p.items()}


def listwise(net: Net, batch: Lesson) -> Tensor:
    """Return the softmax cross-entropy (ListNet's top-one loss, Cao et al. 2007) of taken items within their lists."""
    logits, seen = net(batch.inputs), net.seen(batch.positions)
    logits = logits if seen is None else logits + seen
    kept, lists = torch.unique(batch.lists, return_inverse=True)
    n = len(kept)
    top = torch.full((n,), -torch.inf, device=logits.device).scatter_reduce(0, lists, logits.detach(), "amax")
    whole = torch.zeros(n, device=logits.device).index_add(0, lists, (logits - top[lists]).exp()).log() + top
    taken = batch.labels * batch.weights
    loss: Tensor = ((whole[lists] - logits) * taken).sum() / taken.sum().clamp_min(1e-6)
    return loss


def pointwise(net: Net, batch: Lesson) -> Tensor:
    """Return the log loss of each item; with places, of looked at times liked (PAL, Guo et al. 2019)."""
    logits, seen = net(batch.inputs), net.seen(batch.positions)
    return (_log_loss(logits, batch.labels, seen) * batch.weights).sum() / batch.weights.sum().clamp_min(1e-6)


def entire(net: Net, batch: Lesson) -> Tensor:
    """Return ESMM's loss (Ma et al. 2018): of clicks, and of clicks that became conversions, both over all shown."""
    logits, seen = net(batch.inputs), net.seen(batch.positions)
    click, after = logits[:, 0], logits[:, 1]
    shown = torch.zeros_like(click) if seen is None else seen
    clicks = _log_loss(click, batch.labels[:, 0], seen)
    conversions = _log_loss(after, batch.labels[:, 1], shown + functional.logsigmoid(click))
    return ((clicks + conversions) * batch.weights).sum() / batch.weights.sum().clamp_min(1e-6)


def _log_loss(logits: Tensor, labels: Tensor, times: Tensor | None) -> Tensor:
    """Return the log loss (N,) of labels under the probability sigmoid(logit) * exp(times)."""
    if times is None:
        return functional.binary_cross_entropy_with_logits(logits, labels, reduction="none")
    yes = functional.logsigmoid(logits) + times
    no = torch.log1p(-yes.exp().clamp_max(1 - 1e-6))
    return -(labels * yes + (1 - labels) * no)


LOSSES: Mapping[str, Callable[[Net, Lesson], Tensor]] = {"listwise": listwise, "pointwise": pointwise, "entire": entire}


def _shuffled(lesson: Lesson, size: int, rng: np.random.Generator, *, whole: bool) -> Iterator[I64]:
    """Yield rows of batches of about ``size``: of whole lists, or of candidates from anywhere."""
    n = len(lesson)
    if not whole:
        order = rng.permutation(n)
        yield from np.array_split(order, max(n // size, 1))
        return
    lists = lesson.lists.cpu().numpy()
    starts = np.flatnonzero(np.diff(lists, prepend=-1))
    ends = np.append(starts[1:], n)
    order = rng.permutation(len(starts))
    lengths = (ends - starts)[order]
    for chosen in np.split(order, np.flatnonzero(np.diff(np.cumsum(lengths) // size)) + 1):
        yield np.concatenate([np.arange(starts[at], ends[at]) for at in chosen.tolist()])


def _in_order(lesson: Lesson, size: int) -> Iterator[Lesson]:
    for rows in _shuffled(lesson, size, np.random.default_rng(0), whole=True):
        yield lesson.rows(rows)


def _rates(lesson: Mapping[str, Any]) -> F64 | None:
    """Return how often each place is clicked relative to the first, where the tower starts; None without places."""
    if lesson["positions"] is None:
        return None
    labels = lesson["labels"]
    return propensities_of_random(labels if labels.ndim == 1 else labels[:, 0], lesson["positions"])


def _key(name: str) -> str:
    """Return a name that torch takes: without dots, and not that of a method."""
    return "/" + name.replace(".", "/")


def _name(key: str) -> str:
    return key[1:].replace("/", ".")
