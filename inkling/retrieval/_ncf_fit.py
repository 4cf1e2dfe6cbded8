"""How ``ncf`` learns. Imported by a fit alone, since it imports torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Generator, Tensor

from inkling.core.arrays import Array
from inkling.core.run import Run
from inkling.retrieval._two_tower_fit import Batch, epochs
from inkling.retrieval._windows import Windows
from inkling.training import losses
from inkling.training.loop import Around, Plan, seeded, train
from inkling.training.nets.neumf import NeuMf
from inkling.training.optim import Optim
from inkling.training.samplers import Popularity

if TYPE_CHECKING:
    from inkling.retrieval.ncf import NcfConfig

_NEVER = -30.0  # a logit that adds nothing to the loss


def fit_neumf(windows: Windows, n_items: int, config: NcfConfig, run: Run) -> dict[str, Array]:
    """Return the weights, by the network's names.

    Args:
        windows: Targets and histories.
        n_items: Size of the catalogue.
        config: How to train.
        run: Seed, threads, device, progress.
    """
    with seeded(run, "ncf", "start"):
        net = NeuMf(n_items, dim=config.dim, hidden=config.hidden, dropout=config.dropout).to(run.device)
    plan = Plan(
        epochs=config.epochs,
        optim=Optim(lr=config.learning_rate, weight_decay=config.weight_decay),
        shape="cosine",
        max_seconds=config.max_seconds,
    )
    batches = epochs(windows, config.batch, run, "ncf")
    train(net, batches, _Objective(net, windows, config, run), plan, run, Around(stage="ncf"))
    return {name: value.detach().cpu().numpy() for name, value in net.state_dict().items()}


class _Objective:
    """Binary cross-entropy of what happened against items that were drawn."""

    def __init__(self, net: NeuMf, windows: Windows, config: NcfConfig, run: Run) -> None:
        self._net, self._n = net, config.negatives
        counts = torch.bincount(torch.from_numpy(windows.items).long(), minlength=len(net.bias))
        self._sampler = Popularity(counts.to(run.device), alpha=config.popular_negatives)
        self._random = Generator().manual_seed(int(run.rng("ncf", "negatives").integers(2**62)))

    def __call__(self, batch: Batch) -> Tensor:
        drawn, _ = self._sampler.draw((len(batch), self._n), self._random)
        logits = self._net(batch.histories, torch.cat([batch.targets[:, None], drawn], dim=1))
        negative = logits[:, 1:].masked_fill(drawn == batch.targets[:, None], _NEVER)
        return losses.bce(logits[:, 0], negative)
