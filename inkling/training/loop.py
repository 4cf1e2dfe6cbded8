"""The training loop: a page that can be read. What differs between models comes in as functions."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from inkling.core.run import Run
from inkling.training.checkpoint import Progress, restore, save
from inkling.training.optim import Optim, Shape, optimizer, schedule
from inkling.training.parallel import World

B = TypeVar("B", bound="Sized")
Watch = Callable[[str, int, float], None]
"""Called as ``watch(name, step, value)``; what draws curves plugs in here."""


class Sized(Protocol):
    """A batch: its length is what its loss is a mean over."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class Plan:
    """How long and how to train.

    Attributes:
        epochs: At most so many.
        optim: The optimiser.
        shape: The learning rate's course over all epochs (or over ``max_seconds``, whichever goes faster).
        warmup: Share of that course during which it rises.
        patience: Measurements without a better one before training stops; 0 never stops early.
        measure_every: Epochs from one measurement to the next.
        max_seconds: Wall-clock budget; 0 is none.
        clip: Largest norm of the gradient; 0 does not clip.
        ema: Weight of the past in a running mean of the parameters, which is then what is measured and kept; 0 is off.
        bf16: The network computes in bfloat16; parameters stay in float32.
        accumulate: Batches whose gradients are averaged before parameters move.
    """

    epochs: int
    optim: Optim = field(default_factory=Optim)
    shape: Shape = "constant"
    warmup: float = 0.0
    patience: int = 0
    measure_every: int = 1
    max_seconds: float = 0.0
    clip: float = 0.0
    ema: float = 0.0
    bf16: bool = False
    accumulate: int = 1


@dataclass(frozen=True)
class Trained:
    """What came of it."""

    epochs: int
    best_epoch: int  # 0 where nothing was measured
    best: float  # NaN where nothing was measured
    losses: tuple[float, ...]  # mean of each epoch
    measured: tuple[float, ...]
    seconds: float
    stopped: str  # "epochs", "patience" or "seconds"


@dataclass(frozen=True)
class Around:
    """What a loop may be given besides: a measure on validation (higher is better), curves, a file to resume from.

    ``stepped`` is called with the number of moves so far after parameters moved, while their gradients are still there.
    """

    measure: Callable[[], float] | None = None
    watch: Watch | None = None
    checkpoint: Path | None = None
    world: World = field(default_factory=World)
    groups: tuple[dict[str, Any], ...] = ()  # parameters with settings of their own, as torch's optimisers take them
    stage: str = "training"
    stepped: Callable[[int], None] | None = None


def train(
    model: nn.Module,
    batches: Callable[[int], Iterable[B]],
    loss: Callable[[B], Tensor],
    plan: Plan,
    run: Run,
    around: Around | None = None,
) -> Trained:
    """Train ``model`` in place and leave it with the best weights that were measured (the last, where none were).

    Args:
        model: Its parameters are trained. ``measure`` sees it in evaluation mode.
        batches: Epoch (from 0) -> its batches; the same whenever asked, or a resumed run differs.
        loss: The mean loss of a batch.
        plan: How long and how.
        run: Seed, threads, progress.
        around: Validation, curves, checkpoints, other processes.
    """
    around = around or Around()
    with seeded(run, around.stage):
        return _Loop(model, plan, around, run).go(batches, loss)


@contextmanager
def seeded(run: Run, *names: str) -> Iterator[None]:
    """Run with torch's random numbers and threads of ``run``; both are as before afterwards."""
    threads = torch.get_num_threads()
    with torch.random.fork_rng():
        torch.manual_seed(int(run.rng("torch", *names).integers(2**62)))
        torch.set_num_threads(max(run.n_threads, 1))
        try:
            yield
        finally:
            torch.set_num_threads(threads)


class _Loop:
    """One training: the parts of :func:`train` that share its state."""

    def __init__(self, model: nn.Module, plan: Plan, around: Around, run: Run) -> None:
        self.model, self.plan, self.around, self.run = model, plan, around, run
        parameters: list[Any] = list(around.groups) or [p for p in model.parameters() if p.requires_grad]
        self.optimizer = optimizer(parameters, plan.optim)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.factor = schedule(plan.shape, warmup=plan.warmup)
        self.mean = copy.deepcopy(model).requires_grad_(requires_grad=False) if plan.ema > 0 else None
        self.progress = Progress()
        self.best: dict[str, Tensor] = {}
        self.begin = time.perf_counter()

    @property
    def seconds(self) -> float:
        return self.progress.seconds + time.perf_counter() - self.begin

    def go(self, batches: Callable[[int], Iterable[Any]], loss: Callable[[Any], Tensor]) -> Trained:
        if self.around.checkpoint is not None:
            self.progress = restore(self.around.checkpoint, self._modules(), self.optimizer, self.best)
        stopped = self._stopped()
        self.run.progress(self.around.stage, self.progress.epoch, self.plan.epochs)
        while not stopped:
            self._epoch(batches(self.progress.epoch), loss)
            self._measure()
            stopped = self._stopped()
            self._keep()
            self.run.progress(self.around.stage, self.progress.epoch, self.plan.epochs)
        self._take_best()
        progress = self.progress
        best = max(progress.measured) if progress.measured else math.nan
        counts = progress.epoch, progress.best_epoch
        return Trained(*counts, best, tuple(progress.losses), tuple(progress.measured), self.seconds, stopped)

    def _epoch(self, batches: Iterable[Any], loss: Callable[[Any], Tensor]) -> None:
        self.model.train()
        whole, n, epoch = 0.0, 0, _counted(batches)
        for place, batch in enumerate(epoch):
            self._set_rate((self.progress.epoch + place / len(epoch)) / self.plan.epochs)
            value = self._gradients(batch, loss, first=place % self.plan.accumulate == 0)
            whole, n = whole + value * len(batch), n + len(batch)
            late = self._out_of_time()
            if late or (place + 1) % self.plan.accumulate == 0 or place + 1 == len(epoch):
                self._move(len(batch))
            if late:
                break
        self.progress.epoch += 1
        self.progress.losses.append(whole / max(n, 1))
        self._tell("loss", self.progress.losses[-1])
        self.model.eval()

    def _gradients(self, batch: Any, loss: Callable[[Any], Tensor], *, first: bool) -> float:
        """Add a batch's gradients, after none or after those of the batches before it; return its loss."""
        if first:
            self.optimizer.zero_grad(set_to_none=True)
        kind = next(self.model.parameters()).device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=self.plan.bf16):
            value = loss(batch)
        (value / self.plan.accumulate).backward()
        return float(value.detach())

    def _move(self, n: int) -> None:
        """Move the parameters by the gradients that are there; ``n`` is the size of the batch they end with."""
        self.around.world.share_gradients(self.model, n)
        if self.plan.clip > 0:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.plan.clip)
        self.optimizer.step()
        if self.mean is not None:
            _average(self.mean, self.model, min(self.plan.ema, (1 + self.progress.step) / (10 + self.progress.step)))
        self.progress.step += 1
        if self.around.stepped is not None:
            self.around.stepped(self.progress.step)

    def _set_rate(self, done: float) -> None:
        if self.plan.max_seconds > 0:
            done = max(done, min(self.seconds / self.plan.max_seconds, 1.0))
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.factor(done)

    def _measure(self) -> None:
        last = self.progress.epoch >= self.plan.epochs or self._out_of_time()
        if self.around.measure is None or (self.progress.epoch % self.plan.measure_every and not last):
            return
        raw = _copy(self.model)
        if self.mean is not None:
            self.model.load_state_dict(self.mean.state_dict())
        with torch.no_grad():
            value = self.around.measure()
        self._tell("measure", value)
        if not self.progress.measured or value > max(self.progress.measured):
            self.progress.best_epoch, self.best = self.progress.epoch, _copy(self.model)
        self.progress.measured.append(value)
        self.model.load_state_dict(raw)

    def _stopped(self) -> str:
        """Return why training is over, or an empty text."""
        measured = self.progress.measured
        if self.plan.patience and len(measured) - 1 - _place_of_best(measured) >= self.plan.patience:
            return "patience"
        if self.progress.epoch >= self.plan.epochs:
            return "epochs"
        return "seconds" if self._out_of_time() else ""

    def _out_of_time(self) -> bool:
        return self.plan.max_seconds > 0 and self.around.world.any(mine=self.seconds >= self.plan.max_seconds)

    def _keep(self) -> None:
        if self.around.checkpoint is not None and self.around.world.rank == 0:
            self.progress.seconds, self.begin = self.seconds, time.perf_counter()
            save(self.around.checkpoint, self.progress, self._modules(), self.optimizer, self.best)

    def _take_best(self) -> None:
        if self.best:
            self.model.load_state_dict(self.best)
        elif self.mean is not None:
            self.model.load_state_dict(self.mean.state_dict())
        self.model.eval()

    def _modules(self) -> dict[str, nn.Module]:
        return {"model": self.model} if self.mean is None else {"model": self.model, "mean": self.mean}

    def _tell(self, name: str, value: float) -> None:
        if self.around.watch is not None:
            self.around.watch(f"{self.around.stage}/{name}", self.progress.step, value)


def _counted(batches: Iterable[Any]) -> Any:
    """Return batches that know how many they are: as they are, where they do; else all of them."""
    return batches if hasattr(batches, "__len__") else list(batches)


def _place_of_best(measured: list[float]) -> int:
    return measured.index(max(measured)) if measured else -1


def _copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def _average(mean: nn.Module, model: nn.Module, weight: float) -> None:
    with torch.no_grad():
        for kept, new in zip(mean.parameters(), model.parameters(), strict=True):
            kept.lerp_(new, 1.0 - weight)
