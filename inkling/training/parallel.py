"""Data-parallel training over processes: each takes a part of a batch, gradients are added up, all take one step.

Started by ``torchrun --nproc-per-node N``; between processes of one machine gloo, with GPUs nccl.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed, nn

from inkling.core.arrays import I64


@dataclass(frozen=True)
class World:
    """How many processes train together, and which one this is. Alone by default."""

    rank: int = 0
    size: int = 1

    def mine(self, index: I64) -> I64:
        """Return this process's part of a batch's members: every ``size``-th."""
        return index[self.rank :: self.size]

    def share_gradients(self, model: nn.Module, n: int) -> None:
        """Replace gradients by those of the mean loss over everyone's batch; ``n`` is the length of this one's.

        A mean over a process's own n items weighs n in the mean over all, so the result is that of one process with
        the whole batch. A parameter that this process did not use has a gradient of 0.
        """
        if self.size == 1:
            return
        parameters = [p for p in model.parameters() if p.requires_grad]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters])
        whole = torch.cat([flat * n, flat.new_tensor([n])])
        distributed.all_reduce(whole)
        mean = whole[:-1] / whole[-1].clamp_min(1.0)
        sizes = [p.numel() for p in parameters]
        for parameter, grad in zip(parameters, torch.split(mean, sizes), strict=True):
            parameter.grad = grad.view_as(parameter).clone()

    def any(self, *, mine: bool) -> bool:
        """Return whether it is so for any process: what all must decide alike, such as that time is up."""
        if self.size == 1:
            return mine
        said = torch.tensor([float(mine)])
        if torch.cuda.is_available():
            said = said.cuda()
        distributed.all_reduce(said)
        return bool(said.item() > 0)

    def same_start(self, model: nn.Module) -> None:
        """Give every process the first one's parameters."""
        if self.size > 1:
            for value in model.state_dict().values():
                distributed.broadcast(value, src=0)


@contextmanager
def world() -> Iterator[World]:
    """Join the processes that torchrun started; alone where it did not.

    The processes stay joined until they end, since one of them may fit many models, and meeting again on the same port
    is a race.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        atexit.register(distributed.destroy_process_group)
    yield World(distributed.get_rank(), size)
