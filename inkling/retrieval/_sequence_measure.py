"""How good a sequence model is while it learns: what people did last, held out."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from inkling.core.arrays import I64, Bool
from inkling.training.nets.sequence import SequenceNet
from inkling.training.sequences import Sequences

_ASKED = 256


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
