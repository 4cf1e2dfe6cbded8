"""How ``two_tower`` learns. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Generator, Tensor

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.run import Run
from inkling.retrieval._windows import Windows
from inkling.training import losses
from inkling.training.loop import Around, Plan, seeded, train
from inkling.training.nets.towers import Known, TwoTower
from inkling.training.optim import Optim
from inkling.training.samplers import Popularity

if TYPE_CHECKING:
    from inkling.retrieval.two_tower import TwoTowerConfig


@dataclass(frozen=True)
class Batch:
    """Targets of a step, whose they are, and what was known of those people."""

    histories: Tensor  # (B, L)
    people: Tensor  # (B,)
    targets: Tensor  # (B,)

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class Epoch:
    """The batches of an epoch, each made when its turn comes."""

    windows: Windows
    groups: tuple[I64, ...]
    device: str

    def __len__(self) -> int:
        return len(self.groups)

    def __iter__(self) -> Iterator[Batch]:
        return map(self._batch, self.groups)

    def _batch(self, index: I64) -> Batch:
        histories = torch.from_numpy(self.windows.histories(index).astype(np.int64))
        people = torch.from_numpy(self.windows.people[index].astype(np.int64))
        targets = torch.from_numpy(self.windows.items[index].astype(np.int64))
        return Batch(histories.to(self.device), people.to(self.device), targets.to(self.device))


def epochs(windows: Windows, batch: int, run: Run, name: str) -> Callable[[int], Epoch]:
    """Return what gives the batches of an epoch, in an order of its own."""

    def epoch(number: int) -> Epoch:
        order = run.rng(name, "order", str(number)).permutation(len(windows))
        return Epoch(windows, tuple(np.split(order, range(batch, len(order), batch))), run.device)

    return epoch


def fit_towers(
    windows: Windows, words: tuple[I32, I32], texts: F32 | None, config: TwoTowerConfig, run: Run
) -> dict[str, Array]:
    """Return the weights, by the network's names.

    Args:
        windows: Targets and histories.
        words: Hashed attributes of items (n, W) and people (U + 1, V).
        texts: (n, t) language vectors of the items, or None.
        config: How to train.
        run: Seed, threads, device, progress.
    """
    items, people = (torch.from_numpy(table) for table in words)
    known = Known(items, people, config.buckets, None if texts is None else torch.from_numpy(texts))
    shape = (len(words[0]), config.dim)
    with seeded(run, "two_tower", "start"):
        start = torch.randn(shape) / math.sqrt(config.dim)
        net = TwoTower(known, start, hidden=config.hidden, length=config.length, forget=config.forget).to(run.device)
    plan = Plan(
        epochs=config.epochs,
        optim=Optim(lr=config.learning_rate, weight_decay=config.weight_decay),
        shape="cosine",
        max_seconds=config.max_seconds,
    )
    batches = epochs(windows, config.batch, run, "two_tower")
    train(net, batches, _Objective(net, windows, config, run), plan, run, Around(stage="two_tower"))
    return {name: value.detach().cpu().numpy() for name, value in net.state_dict().items()}


class _Objective:
    """Softmax over the batch's own targets and even draws from all items, corrected for how often each is expected."""

    def __init__(self, net: TwoTower, windows: Windows, config: TwoTowerConfig, run: Run) -> None:
        self._net, self._config = net, config
        counts = torch.bincount(torch.from_numpy(windows.items.astype(np.int64)), minlength=len(net.ids))
        self._log_q = Popularity(counts).log_probability(torch.arange(len(counts))).to(run.device)
        self._known = counts.nonzero()[:, 0].to(run.device)
        self._random = Generator().manual_seed(int(run.rng("two_tower", "negatives").integers(2**62)))

    def __call__(self, batch: Batch) -> Tensor:
        places = torch.randint(len(self._known), (self._config.negatives,), generator=self._random)
        drawn = self._known[places.to(self._known.device)]
        both = (logits / self._config.temperature for logits in self._net.logits(*_columns(batch), drawn))
        positive, negative = both
        others = torch.cat([batch.targets, drawn])
        # An item comes as a target of the batch, or is drawn: what is expected of both adds up.
        even = torch.full((), math.log(max(self._config.negatives, 1e-9) / len(self._known)))
        expected = torch.logaddexp(self._log_q[others] + math.log(len(batch)), even.to(others.device))
        hits = others[None, :] == batch.targets[:, None]
        return losses.sampled_softmax(positive, negative, log_expected=expected, hits=hits)


def _columns(batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.histories, batch.people, batch.targets
