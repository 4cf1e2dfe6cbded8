"""The objectives: what a step reads, and what each makes small."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.encoders.backbone import Backbone
from inkling.language._adapt_config import AdaptConfig
from inkling.language._adapt_lessons import Lessons, Pairs
from inkling.training.losses import bce, mse, sampled_softmax

_TOGETHER = 32  # texts that are padded to one length
_SCALE = 10.0  # a cosine is small: logits of behaviour begin with it times this


@dataclass(frozen=True)
class Step:
    """What one step looks at. S texts are read; the bank tells the others as they were last read."""

    fresh: I64  # (S,) texts that are read now
    others: I64  # (K,) texts of the bank that stand for all that are not read
    pairs: Pairs  # examples around the fresh texts
    hits: Bool  # (P, S + K) where the person chose the column's text, so that it is no negative
    wrong: I64  # (P,) for each a fresh text that its person did not choose
    weights: F32  # (P,) how many examples each stands for
    pull: float  # examples for each that speaks of a fresh text

    def __len__(self) -> int:
        return len(self.fresh)


class Net(nn.Module):
    """A backbone with what the objectives need beside it, and the bank: every text's vector as it was last read."""

    def __init__(self, backbone: Backbone, lessons: Lessons, config: AdaptConfig, bank: Tensor) -> None:
        super().__init__()
        self.inner = backbone.model
        self._backbone, self._lessons, self._config = backbone, lessons, config
        self.bank = bank  # (T, dim) of length one
        self.ids = backbone.token_ids(lessons.texts, config.max_tokens)
        self.cold = nn.Parameter(torch.tensor(-math.log(config.temperature)))
        self.likely = nn.Parameter(torch.tensor([_SCALE, 0.0]))
        self.rated = nn.Linear(backbone.dim + 1, 1)
        self.kinds = nn.Linear(backbone.dim, max(lessons.n_categories, 1))
        values = lessons.pairs.values[np.isfinite(lessons.pairs.values)]
        spread = float(values.std()) if len(values) else 1.0
        self.scale = (float(values.mean()) if len(values) else 0.0, spread or 1.0)

    def read(self, rows: I64) -> Tensor:  # (N, dim)
        """Return the vectors of texts, of length one; those of alike length are padded together."""
        order = np.argsort([len(self.ids[row]) for row in rows.tolist()], kind="stable")
        parts = [order[at : at + _TOGETHER] for at in range(0, len(order), _TOGETHER)]
        read = [
            self._backbone.vectors(self._backbone.padded([self.ids[row] for row in rows[p].tolist()])) for p in parts
        ]
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(self.bank.device)
        return functional.normalize(torch.cat(read).float(), dim=-1)[back]

    def losses(self, step: Step) -> dict[str, Tensor]:
        """Return the loss of each objective that counts, and remember what was read."""
        view = View(self.bank, step.fresh, self.read(step.fresh))
        taste = self.taste(view, step.pairs.before)
        found = {name: loss(self, step, view, taste) for name, loss in _LOSSES.items() if self._config.asks(name)}
        if self.training:
            self.bank[torch.from_numpy(step.fresh)] = view.fresh.detach()
        return found

    def weighed(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of losses."""
        return torch.stack([self._config.objectives[name] * value for name, value in losses.items()]).sum()

    def taste(self, view: View, before: I32) -> Tensor:  # (P, dim)
        """Return the vector of each history: the fading mean of what was chosen, of length one."""
        there = torch.from_numpy(before >= 0).to(self.bank.device)
        weights = there * self._config.fade ** torch.arange(before.shape[1], device=self.bank.device)
        vectors = view.vectors(np.maximum(before, 0))
        return functional.normalize((vectors * weights[..., None]).sum(dim=1), dim=-1)

    def all_vectors(self, n_tokens: int = 4096) -> Tensor:
        """Return (T, dim): every text read now."""
        from inkling.encoders._backbone_batches import length_batches

        out = torch.zeros_like(self.bank)
        with torch.no_grad():
            for rows in length_batches([len(one) for one in self.ids], n_tokens):
                out[rows] = self.read(np.array(rows, dtype=np.int64)).to(out.device)
        return out

    def categories(self, rows: I64) -> Tensor:
        """Return the categories (N,) of texts, -1 where unknown."""
        return torch.from_numpy(self._lessons.categories[rows].astype(np.int64)).to(self.bank.device)

    def likeness(self, rows: I64, columns: I64) -> Tensor:
        """Return (N, M) how often texts are chosen by the same people, as a cosine."""
        return torch.from_numpy(self._lessons.likeness(rows, columns)).to(self.bank.device)


class View:
    """The texts' vectors as a step sees them: those that are read now, and for the others the bank."""

    def __init__(self, bank: Tensor, rows: I64, fresh: Tensor) -> None:
        self.bank, self.fresh, self.rows = bank, fresh, rows
        self._place = torch.full((len(bank),), -1, dtype=torch.long, device=bank.device)
        self._place[torch.from_numpy(rows)] = torch.arange(len(rows), device=bank.device)

    def vectors(self, rows: Array) -> Tensor:
        """Return the vectors of rows of any shape."""
        index = torch.from_numpy(rows.astype(np.int64)).to(self.bank.device)
        if not len(self.fresh):
            return self.bank[index]
        place = self._place[index]
        return torch.where((place >= 0)[..., None], self.fresh[place.clamp_min(0)], self.bank[index])

    def columns(self, others: I64) -> Tensor:
        """Return (S + K, dim): the fresh ones, then others of the bank."""
        return torch.cat([self.fresh, self.bank[torch.from_numpy(others).to(self.bank.device)]])


def _sequence(net: Net, step: Step, view: View, taste: Tensor) -> Tensor:
    """Return the softmax loss of what was chosen next, against every text that the person did not choose.

    Fresh texts stand for themselves; those of the bank for all others: the logQ correction of a uniform draw. Examples
    weigh as they are in all, so that the gradient of the fresh texts is that of the loss over everything; its size is
    that of an example which speaks of them.
    """
    chosen = torch.from_numpy(step.pairs.chosen)
    if not chosen.any():
        return taste.sum() * 0
    cold = net.cold.exp().clamp_max(200.0)
    right = (taste * view.vectors(step.pairs.texts)).sum(dim=1) * cold
    wrong = taste @ view.columns(step.others).T * cold
    rest = max(len(net.bank) - len(step.fresh), 1)
    expected = torch.zeros(wrong.shape[1], device=wrong.device)
    expected[len(step.fresh) :] = math.log(max(len(step.others), 1) / rest)
    hits = torch.from_numpy(step.hits).to(wrong.device)
    weights = torch.from_numpy(step.weights).to(wrong.device)[chosen]
    mean = sampled_softmax(right[chosen], wrong[chosen], log_expected=expected, hits=hits[chosen], weights=weights)
    return mean + (step.pull - 1.0) * (mean - mean.detach())


def _behaviour(net: Net, step: Step, view: View, taste: Tensor) -> Tensor:
    """Return the log loss of whether an item was chosen: of each event, and of a fresh item that was never chosen."""
    scale, shift = net.likely
    own = scale * (taste * view.vectors(step.pairs.texts)).sum(dim=1) + shift
    wrong = scale * (taste * view.vectors(step.wrong)).sum(dim=1) + shift
    chosen = torch.from_numpy(step.pairs.chosen).to(own.device)
    signed = torch.where(chosen, own, -own)  # an event that speaks against the item is right when its logit is low
    return bce(signed, wrong[:, None])


def _rating(net: Net, step: Step, view: View, taste: Tensor) -> Tensor:
    """Return the squared error of the values, on their own scale."""
    known = torch.from_numpy(np.isfinite(step.pairs.values))
    if not known.any():
        return taste.sum() * 0
    items = view.vectors(step.pairs.texts)
    near = (taste * items).sum(dim=1, keepdim=True)
    predicted = net.rated(torch.cat([items, near], dim=1))[:, 0]
    mean, spread = net.scale
    values = (torch.from_numpy(step.pairs.values).to(predicted.device) - mean) / spread
    return mse(predicted[known], values[known])


def _similarity(net: Net, step: Step, view: View, taste: Tensor) -> Tensor:
    """Return the cross-entropy between nearness by people and nearness by text, over the texts of the step."""
    wanted = net.likeness(step.fresh, np.concatenate([step.fresh, step.others]))
    total = wanted.sum(dim=1, keepdim=True)
    known = total[:, 0] > 0
    if not known.any():
        return taste.sum() * 0
    logits = view.fresh @ view.columns(step.others).T * net.cold.exp().clamp_max(200.0)
    itself = torch.arange(len(step.fresh), device=logits.device)
    logits = logits.index_put((itself, itself), torch.full_like(itself, -1e4, dtype=logits.dtype))
    log_shares = functional.log_softmax(logits[known], dim=1)
    return -((wanted[known] / total[known]) * log_shares).sum(dim=1).mean()


def _category(net: Net, step: Step, view: View, taste: Tensor) -> Tensor:
    """Return the cross-entropy of the first category."""
    wanted = net.categories(step.fresh)
    known = wanted >= 0
    if not known.any():
        return taste.sum() * 0
    return functional.cross_entropy(net.kinds(view.fresh[known]) * _SCALE, wanted[known])


_LOSSES: Mapping[str, Callable[[Net, Step, View, Tensor], Tensor]] = {
    "sequence": _sequence,
    "behaviour": _behaviour,
    "rating": _rating,
    "similarity": _similarity,
    "category": _category,
}


def read_texts(backbone: Backbone, texts: Sequence[str], n_tokens: int = 4096) -> F32:
    """Return (N, dim) vectors of texts, of length one, each as the card says."""
    from inkling.encoders._backbone_batches import length_batches

    ids = backbone.token_ids(texts)
    out = np.zeros((len(ids), backbone.dim), dtype=np.float32)
    with torch.no_grad():
        for rows in length_batches([len(one) for one in ids], n_tokens):
            vectors = backbone.vectors(backbone.padded([ids[row] for row in rows]))
            out[rows] = functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return out


def unit(vectors: F32, rows: Sequence[int] | I64 | None = None) -> Tensor:
    """Return rows of numpy vectors as a tensor, of length one."""
    found = torch.from_numpy(np.ascontiguousarray(vectors if rows is None else vectors[rows], dtype=np.float32))
    return functional.normalize(found, dim=-1)
