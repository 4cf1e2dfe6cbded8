"""What a language model can do without: heads, units, whole blocks, or single weights, as the domain's texts show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
import numpy as np

from inkling.compression._distil_config import Share, TeachConfig
from inkling.compression._distil_lessons import Lessons, read_lessons
from inkling.compression.base import Step
from inkling.core.arrays import F32, I64
from inkling.core.config import Config, to_dict
from inkling.core.errors import ConfigError, nearest
from inkling.core.run import Run
from inkling.encoders.backbone import Backbone
from inkling.training.extra import need_torch

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["METHODS", "Lessons", "PruneConfig", "Recovery", "prune", "read_lessons"]
Method = Literal["structured", "layers", "magnitude"]
METHODS: tuple[Method, ...] = ("structured", "layers", "magnitude")


class Recovery(TeachConfig, frozen=True, kw_only=True):
    """How a pruned model is brought back to the vectors that it had."""

    choices: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Weight of what people chose next; 0 recovers what was, and learns nothing new."""
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 2
    """At most so many passes over the texts."""
    held_out: Share = 0.02
    """Share of the texts (at most 500) whose neighbourhoods tell when to stop."""


class PruneConfig(Config, frozen=True, kw_only=True):
    """Settings of :func:`prune`."""

    importance: Literal["taylor", "energy"] = "taylor"
    """What a head or a unit is worth: how far vectors move without it (first order), or what it adds to the stream."""
    n_texts: Annotated[int, msgspec.Meta(ge=1)] = 256
    """Texts on which that is measured."""
    max_tokens: Annotated[int, msgspec.Meta(ge=3)] = 64
    """Tokens of each that are read."""
    multiple: Annotated[int, msgspec.Meta(ge=1)] = 32
    """Units that stay are a multiple of this, which processors like."""
    most: Share = 0.85
    """At most this share of a block's heads, and of its units, is taken out."""
    recovery: Recovery = msgspec.field(default_factory=Recovery)
    """How it recovers, where there are lessons."""


def prune(
    backbone: Backbone,
    share: float,
    *,
    method: Method = "structured",
    texts: Sequence[str],
    run: Run | None = None,
    recover: Lessons | None = None,
    config: PruneConfig | None = None,
) -> tuple[Backbone, Step]:
    """Return a model without a share of its blocks' parameters; the vocabulary's table is not counted.

    ``structured`` takes out heads of attention (Michel et al. 2019) and feed-forward units, wherever a parameter is
    worth least; matrices shrink, so the exported graph is smaller and faster. ``layers`` takes out whole blocks, one
    after the other the one without which vectors stay nearest. ``magnitude`` sets weights to zero by size and by what
    they are multiplied with (Wanda, Sun et al. 2023): the matrices stay as large, and no runtime here is faster by it.

    Args:
        backbone: What is pruned; it stays as it is.
        share: The part of the blocks' parameters that goes, above 0 and below 1; at least this part does.
        method: ``structured``, ``layers`` or ``magnitude``.
        texts: The domain's own, on which importance is measured.
        run: Seed, threads, progress.
        recover: The unpruned model's vectors of the domain's texts (:func:`read_lessons`): a short training brings the
            pruned model back to them. Without, none is done.
        config: Settings.

    Raises:
        ConfigError: ``share`` is out of range or too much, there is no such method, or the architecture has other
            blocks than the method knows.
        MissingExtraError: torch or transformers is not installed.
    """
    need_torch("Pruning")
    from inkling.compression._prune_layout import copied, n_inside

    config, run = config or PruneConfig(), run or Run()
    _check(share, method, texts)
    small = copied(backbone)
    before = n_inside(small.model)
    masks = _take_out(small, share, texts, run, method=method, config=config)
    zeros = sum(int((mask == 0).sum()) for mask in masks.values())
    note = f"{1 - (n_inside(small.model) - zeros) / before:.1%} of the blocks' parameters are gone"
    if recover is not None:
        note += "; " + _recovered(small, recover, config, run, masks)
    said = {"method": method, "share": share, **to_dict(config)}
    n = sum(p.numel() for p in small.model.parameters())
    return small, Step(method="pruned", settings=said, parameters=n - zeros, bytes=4 * n, quality=None, note=note)


def _check(share: float, method: str, texts: Sequence[str]) -> None:
    if not 0 < share < 1:
        raise ConfigError(f"prune: share is {share}, expected above 0 and below 1.")
    if method not in METHODS:
        raise ConfigError(f"prune: there is no method '{method}'.", hint=nearest(method, METHODS))
    if not any(text.strip() for text in texts):
        raise ConfigError("prune: there is no text to measure importance on.", hint="Give the catalogue's titles.")


def _take_out(
    small: Backbone, share: float, texts: Sequence[str], run: Run, *, method: Method, config: PruneConfig
) -> dict[nn.Parameter, Tensor]:
    """Prune in place; return a mask for each parameter that must keep its zeros."""
    if method == "structured":
        cut(small, share, texts, run, config)
        return {}
    if method == "layers":
        _drop(small, share, texts, run, config)
        return {}
    return _zero(small, share, texts, run, config)


def cut(small: Backbone, share: float, texts: Sequence[str], run: Run, config: PruneConfig | None = None) -> None:
    """Take heads and feed-forward units out of a model, in place.

    Raises:
        ConfigError: It is not laid out as BERT is, or the share cannot be reached.
    """
    from inkling.compression._prune_importance import energy, sampled_ids, taylor
    from inkling.compression._prune_layout import n_inside, shrinkable
    from inkling.encoders._backbone_shapes import narrow, note
    from inkling.training.loop import seeded

    config = config or PruneConfig()
    blocks = shrinkable(small)
    ids = sampled_ids(small, texts, config.n_texts, config.max_tokens, run)
    with seeded(run, "prune"):
        worth = taylor(small, blocks, ids, run) if config.importance == "taylor" else energy(small, blocks, ids)
    total = n_inside(small.model)
    prices = [_prices(block) for block in blocks]
    for block, (heads, units) in zip(blocks, _kept(worth, prices, share * total, config), strict=True):
        narrow(block, heads.tolist(), units.tolist())
    note(small.model)


def _prices(block: Any) -> tuple[int, int]:
    """Return how many parameters a head and a unit of a block are."""
    from inkling.encoders._backbone_shapes import head_size

    dim, size = block.attention.self.query.in_features, head_size(block)
    return 4 * size * dim + 3 * size, block.intermediate.dense.in_features + block.output.dense.out_features + 1


def _kept(
    worth: Sequence[tuple[F32, F32]], prices: Sequence[tuple[int, int]], wanted: float, config: PruneConfig
) -> list[tuple[I64, I64]]:
    """Return the heads and the units that stay in each block: what is worth least for its parameters goes first.

    Raises:
        ConfigError: So much cannot go.
    """
    parts = [(row, kind) for row in range(len(worth)) for kind in (0, 1)]
    stays = {part: np.ones(len(worth[part[0]][part[1]]), dtype=np.bool_) for part in parts}
    least = {part: max(round(len(stays[part]) * (1 - config.most)), 1) for part in parts}
    places = [(part, place) for part in parts for place in range(len(stays[part]))]
    rates = np.concatenate([worth[row][kind] / prices[row][kind] for row, kind in parts])
    gone = 0
    for position in np.argsort(rates, kind="stable").tolist():
        part, place = places[position]
        if gone >= wanted:
            break
        if stays[part].sum() > least[part]:
            stays[part][place] = False
            gone += prices[part[0]][part[1]]
    if gone < wanted:
        raise ConfigError(
            f"prune: only {gone:,} of the wanted {round(wanted):,} parameters can go.",
            hint="Raise 'most', or prune less.",
        )
    return [(np.flatnonzero(stays[row, 0]), _even(stays[row, 1], worth[row][1], config)) for row in range(len(worth))]


def _even(stays: Any, worth: F32, config: PruneConfig) -> I64:
    """Return the units that stay, the least of them left out until they are a multiple of a good number."""
    kept = np.flatnonzero(stays)
    if len(kept) == len(stays) or len(kept) < config.multiple:
        return kept
    best = kept[np.argsort(-worth[kept], kind="stable")]
    return np.sort(best[: len(kept) // config.multiple * config.multiple])


def _drop(small: Backbone, share: float, texts: Sequence[str], run: Run, config: PruneConfig) -> None:
    """Take out blocks, in place: each time the one without which the vectors stay nearest to what they were."""
    from inkling.compression._prune_importance import sampled_ids
    from inkling.compression._prune_layout import keep_blocks, n_blocks, n_inside

    ids = sampled_ids(small, texts, config.n_texts, config.max_tokens, run)
    every = n_blocks(small.model)
    kept, wanted = list(range(every)), share * n_inside(small.model)
    before = _vectors(small, ids, run)
    sizes = _block_sizes(small.model)
    while sum(sizes[row] for row in set(range(every)) - set(kept)) < wanted:
        if len(kept) == 1:
            raise ConfigError(f"prune: the one layer that is left of {every} cannot go.", hint="Prune less.")
        harm = {row: _harm(small, [one for one in kept if one != row], ids, before, run) for row in kept}
        kept.remove(min(harm, key=lambda row: (harm[row], -row)))
    keep_blocks(small.model, kept)


def _block_sizes(model: Any) -> list[int]:
    from inkling.compression._prune_layout import stack

    holder, name = stack(model)
    return [sum(p.numel() for p in block.parameters()) for block in getattr(holder, name)]


def _harm(backbone: Backbone, kept: list[int], ids: Sequence[Sequence[int]], before: F32, run: Run) -> float:
    """Return one less the mean cosine to the vectors with all blocks; infinity where the blocks cannot be alone."""
    from inkling.compression._prune_layout import copied, keep_blocks

    tried = copied(backbone)
    try:
        keep_blocks(tried.model, kept)
    except ConfigError:
        return float("inf")
    return 1 - float((_vectors(tried, ids, run) * before).sum(axis=1).mean())


def _vectors(backbone: Backbone, ids: Sequence[Sequence[int]], run: Run) -> F32:
    """Return vectors of length one, in the order of the batches."""
    import torch

    from inkling.compression._prune_importance import batches
    from inkling.training.loop import seeded

    with seeded(run, "prune"), torch.no_grad():
        found = [torch.nn.functional.normalize(backbone.vectors(batch), dim=-1) for batch in batches(backbone, ids)]
        return np.asarray(torch.cat(found).float().cpu().numpy())


def _zero(
    small: Backbone, share: float, texts: Sequence[str], run: Run, config: PruneConfig
) -> dict[nn.Parameter, Tensor]:
    """Set weights to zero, in place: of each output, the share whose product with the mean size of its input is least.

    Raises:
        ConfigError: The blocks have too few weights in matrices.
    """
    import torch

    from inkling.compression._prune_importance import batches, inputs_of, linears, sampled_ids, weight_of
    from inkling.compression._prune_layout import n_inside, stack
    from inkling.training.loop import seeded

    holder, name = stack(small.model)
    layers = linears(getattr(holder, name))
    ids = sampled_ids(small, texts, config.n_texts, config.max_tokens, run)
    with seeded(run, "prune"), torch.no_grad(), inputs_of(layers) as seen:
        for batch in batches(small, ids):
            small.vectors(batch)
            seen.rest(batch["attention_mask"])
    total = n_inside(small.model)
    own = share * total / max(sum(weight_of(layer).numel() for layer in layers), 1)
    if own >= 1:
        raise ConfigError(f"prune: only matrices are set to zero, and they are less than {share:.0%} of the blocks.")
    masks: dict[nn.Parameter, Tensor] = {}
    for layer in layers:
        weight = weight_of(layer).detach()
        worth = weight.abs() * seen.moments(layer).diagonal().clamp_min(1e-12).sqrt()
        least = worth.argsort(dim=1)[:, : -(-round(own * weight.shape[1] * 1e6) // 1_000_000)]
        mask = torch.ones_like(weight).scatter_(1, least, 0.0)
        kept: Any = layer.weight
        masks[kept] = mask if isinstance(layer, torch.nn.Linear) else mask.T
        kept.data.mul_(masks[kept])
    return masks


def _recovered(
    small: Backbone, lessons: Lessons, config: PruneConfig, run: Run, masks: dict[nn.Parameter, Tensor]
) -> str:
    """Teach a pruned model, in place, what it was; zeros stay. Return how it went."""
    from inkling.compression.distil import said_of, taught_backbone

    hooks = [weight.register_hook(lambda gradient, mask=mask: gradient * mask) for weight, mask in masks.items()]
    taught = taught_backbone(small, lessons, config.recovery, run, "recover")
    for hook in hooks:
        hook.remove()
    if config.recovery.choices > 0:
        small.card = msgspec.structs.replace(small.card, learned=(*small.card.learned, *lessons.learned))
    return said_of(taught)
