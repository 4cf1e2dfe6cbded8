"""The training of a backbone on behaviour: steps, the measure that stops it, and the loop around both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from inkling.core.arrays import F32, I32, I64, Bool
from inkling.core.run import Run
from inkling.encoders.backbone import Backbone
from inkling.language._adapt_config import AdaptConfig
from inkling.language._adapt_lessons import Lessons, Pairs
from inkling.language._adapt_net import Net, Step, View, unit
from inkling.language._adapt_tune import tuning
from inkling.training.loop import Around, Plan, Trained, seeded, train
from inkling.training.optim import Optim

_AT = 10
_NEAREST = 20  # mined texts are drawn from so many that read most like a text
_BLOCK = 256


@dataclass(frozen=True)
class Outcome:
    """What came of a training."""

    trained: Trained
    n_trained: int
    n_parameters: int
    before: float  # NaN where nobody is held out
    after: float
    losses: dict[str, tuple[float, float]]  # objective -> mean over the first and over the last pass
    seconds: float


class Steps:
    """The steps of one pass over the texts, each made when it is come to, since mining looks at the bank."""

    def __init__(self, net: Net, lessons: Lessons, config: AdaptConfig, rng: np.random.Generator) -> None:
        self._net, self._lessons, self._config, self._rng = net, lessons, config, rng
        n = lessons.n_texts
        useful = np.zeros(n, dtype=np.bool_)
        useful[lessons.pairs.texts] = True
        useful[np.unique(lessons.pairs.before[lessons.pairs.before >= 0])] = True
        if config.asks("category"):
            useful |= lessons.categories >= 0
        order = rng.permutation(np.flatnonzero(useful))
        size = max(round(min(config.batch_items, n) * (1 - config.hard_share)), 1)
        self._parts = [order[at : at + size] for at in range(0, len(order), size)]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Step]:
        return map(self._step, self._parts)

    def _step(self, part: I64) -> Step:
        config, lessons, rng = self._config, self._lessons, self._rng
        n_hard = min(round(len(part) * config.hard_share / (1 - config.hard_share)), lessons.n_texts - len(part))
        fresh = np.concatenate([part, self._mined(part, n_hard)])
        rest = np.setdiff1d(np.arange(lessons.n_texts), fresh)
        others = np.sort(rng.permutation(rest)[: config.negatives])
        index, weights, pull = self._around(fresh)
        pairs = lessons.pairs.take(index)
        columns = np.concatenate([fresh, others])
        own = lessons.chose[pairs.people].tocsc()[:, columns].toarray() > 0
        hits = own | (columns[None, :] == pairs.texts[:, None])
        wrong = (
            _unchosen(hits[:, : len(fresh)], fresh, rng) if config.asks("behaviour") else pairs.texts.astype(np.int64)
        )
        return Step(fresh, others, pairs, hits, wrong, weights, pull)

    def _around(self, fresh: I64) -> tuple[I64, F32, float]:
        """Return examples, how many each stands for, and how many there are for each that speaks of fresh texts.

        Of three kinds, a third each: their text is fresh; one in their history is; neither. Without the last, fresh
        texts would be chosen wherever they stand beside others, and the model would learn what is fresh.
        """
        third, n = max(self._config.pairs // 3, 1), len(self._lessons.pairs)
        own = _entries(*self._lessons.by_text, fresh)
        past = np.setdiff1d(_entries(*self._lessons.by_history, fresh), own)
        spoken = np.zeros(n, dtype=np.bool_)
        spoken[own] = spoken[past] = True
        kinds = (own, past, np.flatnonzero(~spoken & self._lessons.pairs.chosen))
        drawn = [kind[np.sort(self._rng.permutation(len(kind))[:third])] for kind in kinds]
        each = [len(kind) / max(len(some), 1) for kind, some in zip(kinds, drawn, strict=True)]
        weights = np.repeat(np.array(each, dtype=np.float32), [len(some) for some in drawn])
        return np.concatenate(drawn), weights, sum(map(len, kinds)) / max(len(own) + len(past), 1)

    def _mined(self, part: I64, n: int) -> I64:
        """Return ``n`` texts that read like those of ``part`` at this moment and were never chosen with them."""
        if n <= 0:
            return np.empty(0, dtype=np.int64)
        asked = self._rng.choice(part, min(n, len(part)), replace=False)
        near = self._net.bank[torch.from_numpy(asked)] @ self._net.bank.T
        near[:, torch.from_numpy(part)] = -2.0
        together = (self._lessons.together[asked] @ self._lessons.chose).toarray() > 0
        near[torch.from_numpy(together)] = -2.0
        values, found = near.topk(min(_NEAREST, near.shape[1]), dim=1)
        good = found[values > -2.0].cpu().numpy()
        return self._rng.permutation(np.unique(good))[:n].astype(np.int64)


def _entries(order: I64, starts: I64, rows: I64) -> I64:
    """Return the entries of ``order`` that belong to ``rows``, each once."""
    lengths = starts[rows + 1] - starts[rows]
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.unique(order[np.repeat(starts[rows], lengths) + within])


def _unchosen(hits: Bool, columns: I64, rng: np.random.Generator) -> I64:
    """Return for each example a column that is no hit (or any, for one who chose all of them)."""
    drawn = np.where(hits, -1.0, rng.random(hits.shape, dtype=np.float32))
    return columns[drawn.argmax(axis=1)] if len(columns) and len(hits) else np.empty(0, dtype=np.int64)


def ndcg(net: Net, lessons: Lessons, held: Pairs) -> float:
    """Return NDCG@10 of the held out choices by the cosine of history and text, among all texts of the bank."""
    found: list[F32] = []
    for begin in range(0, len(held), _BLOCK):
        part = held.take(np.arange(begin, min(begin + _BLOCK, len(held))))
        scores = (_history(net, part.before) @ net.bank.T).cpu()
        if lessons.drop_seen:
            seen = lessons.chose[part.people].toarray() > 0
            seen[np.arange(len(part)), part.texts] = False
            scores = scores.masked_fill(torch.from_numpy(seen), -2.0)
        right = scores[torch.arange(len(part)), torch.from_numpy(part.texts.astype(np.int64))]
        place = (scores > right[:, None]).sum(dim=1).numpy()
        found.append(np.where(place < _AT, 1 / np.log2(2.0 + place), 0.0).astype(np.float32))
    return float(np.concatenate(found).mean()) if found else float("nan")


def _history(net: Net, before: I32) -> Tensor:
    return net.taste(View(net.bank, np.empty(0, dtype=np.int64), net.bank[:0]), before)


def fit(backbone: Backbone, lessons: Lessons, config: AdaptConfig, run: Run, start: F32 | None) -> Outcome:
    """Train the backbone in place and leave it as a plain network, in evaluation mode."""
    begin = time.perf_counter()
    n_all = sum(p.numel() for p in backbone.model.parameters())
    with seeded(run, "adapt", "start"):
        size = max(round(min(config.batch_items, lessons.n_texts) * (1 - config.hard_share)), 1)
        n_steps = config.epochs * max(-(-lessons.n_texts // size) // config.accumulate, 1)
        tune = tuning(backbone, config, n_steps)
        bank = torch.zeros(lessons.n_texts, backbone.dim, device=run.device)
        net = Net(backbone, lessons, config, bank).to(run.device).eval()
        net.bank = net.all_vectors() if start is None else unit(start).to(run.device)
    n_trained = sum(p.numel() for p in backbone.model.parameters() if p.requires_grad)
    curve = _Curve(net, lessons)
    before = ndcg(net, lessons, lessons.held)
    trained = train(
        net,
        lambda epoch: curve.next_pass(Steps(net, lessons, config, run.rng("adapt", str(epoch)))),
        lambda step: curve.loss(step, tune.extra()),
        _plan(config),
        run,
        Around(curve.measure if len(lessons.held) else None, run.watch, stage="adapt", stepped=tune.stepped),
    )
    tune.merge()
    backbone.model.eval()
    seconds = time.perf_counter() - begin
    return Outcome(trained, n_trained, n_all, before, trained.best, curve.summary(), seconds)


def _plan(config: AdaptConfig) -> Plan:
    return Plan(
        config.epochs,
        Optim(lr=config.rate, weight_decay=config.weight_decay),
        shape=config.schedule,
        warmup=config.warmup,
        patience=config.patience,
        max_seconds=config.max_seconds,
        clip=1.0,
        bf16=config.bf16,
        accumulate=config.accumulate,
    )


class _Curve:
    """Each objective's loss by pass, beside the loss that the loop knows; and the measure, by the bank."""

    def __init__(self, net: Net, lessons: Lessons) -> None:
        self._net, self._lessons = net, lessons
        self._passes: list[dict[str, list[float]]] = []

    def next_pass(self, steps: Steps) -> Steps:
        self._passes.append({})
        return steps

    def loss(self, step: Step, extra: Tensor | None) -> Tensor:
        losses = self._net.losses(step)
        for name, value in losses.items():
            self._passes[-1].setdefault(name, []).append(float(value.detach()))
        total = self._net.weighed(losses)
        return total if extra is None else total + extra

    def measure(self) -> float:
        """Read every text anew, which the next pass begins with, and measure: a bank half old tells nothing."""
        self._net.bank = self._net.all_vectors()
        with torch.no_grad():
            return ndcg(self._net, self._lessons, self._lessons.held)

    def summary(self) -> dict[str, tuple[float, float]]:
        """Return each objective's mean over the first and the last pass."""
        first, last = self._passes[0], self._passes[-1]
        return {name: (float(np.mean(first[name])), float(np.mean(last.get(name, first[name])))) for name in first}
