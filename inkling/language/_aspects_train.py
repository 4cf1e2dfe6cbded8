"""The aspect model's training: full fine-tuning of a language model on sentences with marked aspects."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch

from inkling.core.config import Config
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.encoders.backbone import MINILM, Backbone, load_backbone
from inkling.language._aspects_data import Labelled, Marked, category_names, labelled
from inkling.language._aspects_model import AspectCard, AspectModel
from inkling.language._aspects_net import AspectNet, Batch
from inkling.training.export import to_onnx
from inkling.training.loop import Around, Plan, Trained, train
from inkling.training.optim import Optim

_LAYER = re.compile(r"\.(\d+)\.")
_HEADS_FASTER = 3.0


class AspectTraining(Config, frozen=True, kw_only=True):
    """Settings of the aspect model's training."""

    model: str = MINILM
    """The language model to begin from: a folder, a name on the hub, or ``minilm``."""
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 8
    """How often the sentences are read; the best epoch on the validation sentences is kept."""
    lr: Annotated[float, msgspec.Meta(gt=0)] = 2e-4
    """Learning rate of the topmost layer; the heads learn three times as fast."""
    layer_decay: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    """What each layer's rate is beside the one above it."""
    batch: Annotated[int, msgspec.Meta(ge=1)] = 16
    """Sentences in a batch."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.2
    """Dropout on what the heads read."""
    max_tokens: Annotated[int, msgspec.Meta(ge=8)] = 128
    """Tokens of a sentence that are read."""
    max_minutes: Annotated[float, msgspec.Meta(ge=0)] = 20.0
    """Wall clock; the rate falls to nothing within it. 0 is no limit."""


@dataclass(frozen=True)
class Taught:
    """A trained model, and how its training went."""

    model: AspectModel
    trained: Trained


def train_aspects(
    sentences: Sequence[Marked],
    validation: Sequence[Marked],
    config: AspectTraining,
    run: Run,
    *,
    checkpoint: Path | None = None,
) -> Taught:
    """Teach a language model to find aspects and their sentiment.

    Args:
        sentences: What is learned from: sentences with terms, with categories, or both kinds.
        validation: What the best epoch is chosen by.
        config: Settings.
        run: Seed, threads, progress.
        checkpoint: A file to resume from.

    Raises:
        DataError: No sentence has a term or a category.
        MissingExtraError: torch or transformers is not installed.
    """
    if not any(one.terms or one.categories for one in sentences):
        raise DataError("No sentence has a marked term or category.", hint="Mark some, or use the lexicon.")
    backbone = load_backbone(config.model)
    categories = category_names(sentences)
    width = max(len(categories), 1)  # a question nobody answers stands in where there are none
    tokenizer = fast_tokenizer(backbone, config.max_tokens)
    net = _network(backbone, width, config.dropout, run)
    pad = int(backbone.tokenizer.pad_token_id)
    rows = labelled(tokenizer, sentences, categories)
    held = labelled(tokenizer, validation, categories)

    def batches(epoch: int) -> list[Batch]:
        order = run.rng("aspects", str(epoch)).permutation(len(rows)).tolist()
        parts = _grouped([rows[i] for i in order], config.batch)
        places = run.rng("aspect-batches", str(epoch)).permutation(len(parts)).tolist()
        return [Batch.of_sentences(parts[place], width, pad=pad) for place in places]

    plan = Plan(
        epochs=config.epochs,
        optim=Optim(kind="adamw", lr=config.lr, weight_decay=0.01),
        shape="linear",
        warmup=0.06,
        clip=1.0,
        max_seconds=config.max_minutes * 60,
    )
    around = Around(
        measure=(lambda: accuracy(net, held, width, pad)) if held else None,
        watch=run.watch,
        checkpoint=checkpoint,
        groups=_groups(net, config),
        stage="aspects",
    )
    trained = train(net, batches, net.loss, plan, run, around)
    card = AspectCard(categories=categories, max_tokens=config.max_tokens, base=config.model, pad=pad)
    return Taught(_exported(net, card, tokenizer, backbone.dim), trained)


def fast_tokenizer(backbone: Backbone, max_tokens: int) -> Any:
    """Return the language model's own ``tokenizers.Tokenizer``, cutting at ``max_tokens``, without padding.

    Raises:
        DataError: The model's tokenizer does not tell where its tokens stand in the text.
    """
    from tokenizers import Tokenizer

    own = getattr(backbone.tokenizer, "backend_tokenizer", None)
    if own is None:
        raise DataError("The aspect model needs a fast tokenizer (tokenizer.json).", hint="Name another model.")
    tokenizer = Tokenizer.from_str(own.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


@torch.no_grad()
def accuracy(net: AspectNet, rows: Sequence[Labelled], n_categories: int, pad: int) -> float:
    """Return the share of terms whose polarity is right; of categories, where no term is marked."""
    right = n = 0
    terms = any(row.spans for row in rows)
    for part in _grouped(list(rows), 64):
        batch = Batch.of_sentences(part, n_categories, pad=pad)
        hidden, _, categories = net(batch.ids, batch.mask)
        if terms:
            guess = net.terms(hidden.index_select(0, batch.of), batch.mask[batch.of], batch.begin, batch.end).argmax(-1)
            truth = batch.polarity
        else:
            known = batch.categories > 0
            guess, truth = categories[..., 1:].argmax(-1)[known], batch.categories[known] - 1
        right, n = right + int((guess == truth).sum()), n + len(truth)
    return right / max(n, 1)


def _network(backbone: Backbone, n_categories: int, dropout: float, run: Run) -> AspectNet:
    backbone.model.get_input_embeddings().weight.requires_grad_(requires_grad=False)  # type: ignore[operator]

    def hidden(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return backbone.hidden({"input_ids": ids, "attention_mask": mask})

    with torch.random.fork_rng():
        torch.manual_seed(int(run.rng("aspect-heads").integers(2**62)))
        return AspectNet(backbone.model, hidden, dim=backbone.dim, n_categories=n_categories, dropout=dropout)


def _groups(net: AspectNet, config: AspectTraining) -> tuple[dict[str, Any], ...]:
    """Return each parameter with its own rate: heads fastest, then layer under layer."""
    layers = {name: int(found[1]) for name, _ in net.model.named_parameters() if (found := _LAYER.search(name))}
    top = max(layers.values(), default=0)
    groups = []
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            inner = name.removeprefix("model.")
            depth = top - layers[inner] if inner in layers else top + 1
            factor = config.layer_decay**depth if inner != name else _HEADS_FASTER
            decay = 0.01 if parameter.ndim > 1 else 0.0
            groups.append({"params": [parameter], "lr": config.lr * factor, "weight_decay": decay})
    return tuple(groups)


def _grouped(rows: list[Labelled], size: int) -> list[list[Labelled]]:
    """Return batches of sentences of alike length, within windows of sixteen batches."""
    found = []
    for start in range(0, len(rows), size * 16):
        window = sorted(rows[start : start + size * 16], key=lambda row: len(row.ids))
        found += [window[at : at + size] for at in range(0, len(window), size)]
    return found


def _exported(net: AspectNet, card: AspectCard, tokenizer: Any, dim: int) -> AspectModel:
    """Return the network as two graphs that answer without torch."""
    net.eval()
    ids, mask = torch.ones(2, 5, dtype=torch.long), torch.ones(2, 5, dtype=torch.long)
    free = {0: "n", 1: "t"}
    names = ("input_ids", "attention_mask")
    outputs = ("hidden", "tags", "categories")
    axes = {**dict.fromkeys((*names, "hidden", "tags"), free), "categories": {0: "n"}}
    sentences = to_onnx(net, dict(zip(names, (ids, mask), strict=True)), outputs, free=axes, atol=1e-3)
    inputs = {"hidden": torch.randn(2, 5, dim), "mask": mask, "begin": mask[:, 0], "end": mask[:, 0] + 1}
    free_terms = {"hidden": free, "mask": free, "begin": {0: "n"}, "end": {0: "n"}, "polarity": {0: "n"}}
    terms = to_onnx(net.terms, inputs, ("polarity",), free=free_terms, atol=1e-3)
    return AspectModel(card, tokenizer.to_str(), sentences, terms)
