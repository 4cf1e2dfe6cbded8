"""The objectives of distilling, whatever the student is, and the loop around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.compression._distil_config import TeachConfig
from inkling.compression._distil_lessons import Lessons, behaviour
from inkling.core.arrays import F32, I32, I64
from inkling.core.run import Run
from inkling.language._adapt_fit import Steps, ndcg
from inkling.language._adapt_lessons import Lessons as Behaviour
from inkling.language._adapt_net import Step, View
from inkling.training.loop import Around, Plan, Trained, seeded, train
from inkling.training.losses import sampled_softmax
from inkling.training.optim import Optim

_NEAREST = 10
_MOST_ASKED = 500
_BLOCK = 512
_MOST_NEAR = 20_000  # texts among which the teacher's nearest are looked for
_LEAST_HELD = 20  # people held out below which their choices tell nothing
_HOTTEST = 200.0
Read = Callable[[I64], Tensor]
"""Rows of the texts -> their vectors (N, d) of length one, differentiable."""


@dataclass(frozen=True)
class Taught:
    """What came of the lessons."""

    trained: Trained
    before: float
    after: float
    measure: str
    losses: dict[str, float]  # objective -> its mean over the last pass


class Student(nn.Module):
    """A model that is taught, and the bank: every text's vector as it was last read.

    A step reads some texts. ``neighbours``: the divergence KL(teacher, student) of the softmax of a text's likeness
    to all texts of the catalogue. ``vectors``: one less the cosine to the teacher's vector. ``choices``: the softmax
    of what a person chose next, the person being the fading mean of what they chose before.
    """

    def __init__(self, inner: nn.Module, read: Read, lessons: Lessons, config: TeachConfig, targets: Tensor) -> None:
        """Put a model before its lessons.

        Args:
            inner: Whose parameters move.
            read: Reads texts with it.
            lessons: The texts and the teacher's vectors.
            config: Weights.
            targets: (T, d) what its own vectors should be, of length one.
        """
        super().__init__()
        self.inner, self.read, self.config = inner, read, config
        self.teacher = torch.from_numpy(lessons.vectors).to(targets.device)  # (T, D)
        self.targets = targets
        self.bank = targets.clone()
        self.cold = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.near = np.empty((len(targets), 0), dtype=np.int64)  # (T, nearest) by the teacher
        self.seen: list[dict[str, float]] = []

    def loss(self, step: Step) -> Tensor:
        """Return the weighted sum of the objectives, and remember what was read."""
        config = self.config
        view = View(self.bank, step.fresh, self.read(step.fresh))
        with torch.autocast(self.bank.device.type, enabled=False):  # softmaxes of sharp cosines need float32
            found = self._objectives(step, view)
        if self.training:
            self.bank[torch.from_numpy(step.fresh)] = view.fresh.detach()
        self.seen.append({name: float(value.detach()) for name, value in found.items()})
        return torch.stack([getattr(config, name) * value for name, value in found.items()]).sum()

    def _objectives(self, step: Step, view: View) -> dict[str, Tensor]:
        config, found = self.config, {}
        if config.vectors > 0:
            found["vectors"] = 1 - (view.fresh * self.targets[torch.from_numpy(step.fresh)]).sum(dim=1).mean()
        if config.neighbours > 0:
            found["neighbours"] = self._neighbours(step, view)
        if config.choices > 0 and step.pairs.chosen.any():
            found["choices"] = self._choices(step, view)
        return found or {"vectors": view.fresh.sum() * 0}

    def _neighbours(self, step: Step, view: View) -> Tensor:
        """Return KL(teacher, student); a text is no neighbour of itself."""
        rows = torch.from_numpy(step.fresh)
        near = np.setdiff1d(self.near[step.fresh], np.concatenate([step.fresh, step.others]))
        others = np.concatenate([step.others, near])
        columns = torch.from_numpy(np.concatenate([step.fresh, others]))
        itself = torch.arange(len(rows), device=self.bank.device)
        wanted = self.teacher[rows] @ self.teacher[columns].T * self.config.sharpness
        wanted[itself, itself] = -1e4
        logits = view.fresh @ view.columns(others).T * self.config.sharpness
        logits = logits.index_put((itself, itself), torch.tensor(-1e4, dtype=logits.dtype, device=logits.device))
        wanted, given = functional.log_softmax(wanted, dim=1), functional.log_softmax(logits.float(), dim=1)
        return functional.kl_div(given, wanted, reduction="batchmean", log_target=True)

    def _choices(self, step: Step, view: View) -> Tensor:
        """Return the softmax loss of what was chosen, against all that the person did not choose."""
        chosen = np.flatnonzero(step.pairs.chosen)
        pairs, index = step.pairs.take(chosen), torch.from_numpy(chosen)
        cold, taste = self.cold.exp().clamp_max(_HOTTEST), self.taste(view, pairs.before)
        right = (taste * view.vectors(pairs.texts)).sum(dim=1) * cold
        wrong = taste @ view.columns(step.others).T * cold
        rest = max(len(self.bank) - len(step.fresh), 1)
        expected = torch.zeros(wrong.shape[1], device=wrong.device)
        expected[len(step.fresh) :] = math.log(max(len(step.others), 1) / rest)
        hits, weights = (torch.from_numpy(one).to(wrong.device)[index] for one in (step.hits, step.weights))
        mean = sampled_softmax(right.float(), wrong.float(), log_expected=expected, hits=hits, weights=weights)
        return mean + (step.pull - 1.0) * (mean - mean.detach())

    def taste(self, view: View, before: I32) -> Tensor:  # (P, d)
        """Return the vector of each history, the newest first: the fading mean of what was chosen, of length one."""
        there = torch.from_numpy(before >= 0).to(self.bank.device)
        weights = there * self.config.fade ** torch.arange(before.shape[1], device=self.bank.device)
        return functional.normalize((view.vectors(np.maximum(before, 0)) * weights[..., None]).sum(dim=1), dim=-1)

    def read_all(self, rows: I64) -> Tensor:  # (N, d)
        """Return texts read now, a batch at a time."""
        n = self.config.batch_items
        return torch.cat([self.read(rows[at : at + n]).to(self.bank.dtype) for at in range(0, len(rows), n)])


class _Passes(Steps):
    """The steps of one pass over all texts but those that are held out."""

    def __init__(self, student: Student, known: Behaviour, rng: np.random.Generator, held: I64) -> None:
        config = student.config.behaviour
        self._net, self._lessons, self._config, self._rng = student, known, config, rng  # type: ignore[assignment]
        order = rng.permutation(np.setdiff1d(np.arange(known.n_texts), held))
        self._parts = [order[at : at + config.batch_items] for at in range(0, len(order), config.batch_items)]


class _Held:
    """What tells when to stop: choices of people who are held out, else the neighbourhoods of texts that are."""

    def __init__(self, student: Student, known: Behaviour, run: Run, *, anew: bool) -> None:
        self.student, self.known, self.anew = student, known, anew
        self.by_choices = len(known.held) >= _LEAST_HELD
        n = min(round(student.config.held_out * known.n_texts), _MOST_ASKED)
        drawn = run.rng("distil", "held out").permutation(known.n_texts)[:n]
        self.rows = np.sort(drawn) if not self.by_choices else drawn[:0]
        self.nearest = _nearest(student.teacher, self.rows)

    @property
    def name(self) -> str:
        return "ndcg@10 of held out choices" if self.by_choices else "share of the teacher's ten nearest"

    @property
    def exists(self) -> bool:
        return self.by_choices or len(self.rows) > 0

    def value(self) -> float:
        """Measure in the bank: all of it read anew where that is cheap, else as the pass has left it."""
        student = self.student
        with torch.no_grad():
            if self.anew:
                student.bank = student.read_all(np.arange(len(student.bank)))
            elif len(self.rows):
                student.bank[torch.from_numpy(self.rows)] = student.read_all(self.rows)
            if self.by_choices:
                return ndcg(self.student, self.known, self.known.held)  # type: ignore[arg-type]
            found = _nearest(self.student.bank, self.rows)
        same = [len(np.intersect1d(ours, theirs)) for ours, theirs in zip(found, self.nearest, strict=True)]
        return float(np.mean(same)) / max(self.nearest.shape[1], 1) if same else float("nan")


def _nearest(vectors: Tensor, rows: I64, k: int = _NEAREST, among: I64 | None = None) -> I64:
    """Return the rows (N, k), of those in ``among``, whose vectors are nearest to those of ``rows``, not themselves."""
    among = np.arange(len(vectors)) if among is None else among
    columns, found = vectors[torch.from_numpy(among)], []
    k = min(k, len(among) - 1)
    for at in range(0, len(rows), _BLOCK):
        part = rows[at : at + _BLOCK]
        near = vectors[torch.from_numpy(part)] @ columns.T
        near[torch.from_numpy(part[:, None] == among)] = -2.0
        found.append(among[near.topk(k, dim=1).indices.cpu().numpy()])
    return np.concatenate(found).astype(np.int64) if found else np.empty((0, k), dtype=np.int64)


def teach(student: Student, lessons: Lessons, run: Run, *, stage: str, anew: bool = False) -> Taught:
    """Train a student in place and leave it with the best weights that were measured, in evaluation mode.

    Args:
        student: Who is taught.
        lessons: What.
        run: Seed, threads, progress.
        stage: The name in what is told of progress.
        anew: Whether all texts are read for each measurement, where reading is cheap.
    """
    config = student.config
    known = behaviour(lessons, config.behaviour, run)
    held = _Held(student, known, run, anew=anew)
    student.eval()
    if config.neighbours > 0 and config.nearest > 0:
        among = np.sort(run.rng(stage, "near").permutation(known.n_texts)[:_MOST_NEAR])
        student.near = _nearest(student.teacher, np.arange(known.n_texts), config.nearest, among)
    with seeded(run, stage, "before"):
        before = held.value() if held.exists else float("nan")

    def batches(epoch: int) -> _Passes:
        student.seen.clear()
        return _Passes(student, known, run.rng(stage, str(epoch)), held.rows)

    around = Around(held.value if held.exists else None, run.watch, stage=stage)
    trained = train(student, batches, student.loss, _plan(config), run, around)
    return Taught(trained, before, trained.best, held.name, _means(student.seen))


def _means(seen: list[dict[str, float]]) -> dict[str, float]:
    names = sorted({name for one in seen for name in one})
    return {name: float(np.mean([one[name] for one in seen if name in one])) for name in names}


def _plan(config: TeachConfig) -> Plan:
    return Plan(
        config.epochs,
        Optim(lr=config.learning_rate, weight_decay=config.weight_decay),
        shape=config.schedule,
        warmup=config.warmup,
        patience=config.patience,
        max_seconds=config.max_seconds,
        clip=1.0,
        bf16=config.bf16,
        accumulate=config.accumulate,
    )


def main_directions(vectors: F32, dim: int) -> tuple[F32, F32]:
    """Return the mean (D,) and the axes (D, dim) along which vectors differ most."""
    mean = vectors.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((vectors - mean).T.astype(np.float64)))
    return mean, np.ascontiguousarray(axes[:, ::-1][:, :dim], dtype=np.float32)
