"""Pretraining on the domain's own text: hidden words, next words, next sentences; from nothing or onwards."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from inkling.core.config import Config
from inkling.core.errors import ConfigError
from inkling.encoders._backbone_folder import need_transformers
from inkling.encoders.backbone import Backbone
from inkling.language._pretrain_text import corpus_of
from inkling.protocol.leaks import Provenance

if TYPE_CHECKING:
    from torch import nn

    from inkling.core.dataset import Dataset
    from inkling.core.run import Run

Objective = Literal["mlm", "clm", "nsp"]
REPORT = "pretrained.json"
STATE = "pretrain.json"


class PretrainConfig(Config, frozen=True, kw_only=True):
    """How a language model is pretrained."""

    objectives: tuple[Objective, ...] = ("mlm",)
    """What it learns to tell: hidden words (mlm), the next word (clm), whether a sentence follows another (nsp)."""
    epochs: Annotated[int, msgspec.Meta(ge=1)] = 3
    """Times that all texts are read, at most."""
    batch: Annotated[int, msgspec.Meta(ge=1)] = 32
    """Texts, or pairs of sentences, at a time."""
    lr: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Learning rate; 0 takes 5e-4 from nothing and 5e-5 onwards."""
    weight_decay: Annotated[float, msgspec.Meta(ge=0)] = 0.01
    """Pull of all weights to 0."""
    warmup: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.06
    """Share of the training during which the rate rises."""
    clip: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """Largest norm of the gradient; 0 does not clip."""
    patience: Annotated[int, msgspec.Meta(ge=0)] = 2
    """Epochs without a better held-out loss before it stops; 0 never stops early."""
    holdout: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.1
    """Share of the texts that are only measured."""
    mask_share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.15
    """Share of the tokens that are hidden."""
    whole_words: bool = False
    """Hide whole words instead of tokens."""
    max_tokens: Annotated[int, msgspec.Meta(ge=8)] = 128
    """Tokens at a time; a longer text goes on in the next row."""
    bf16: bool = False
    """Compute in bfloat16."""
    max_seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Wall-clock budget; 0 is none."""
    kind: Literal["bert", "roberta", "deberta-v2", "ernie", "t5", "gpt2", "qwen2", "qwen3", "xlnet"] = "bert"
    """From nothing: the architecture."""
    dim: Annotated[int, msgspec.Meta(ge=4)] = 128
    """From nothing: length of a hidden state."""
    n_layers: Annotated[int, msgspec.Meta(ge=1)] = 4
    """From nothing: layers."""
    n_heads: Annotated[int, msgspec.Meta(ge=1)] = 4
    """From nothing: heads of attention in each layer; they divide ``dim``."""
    n_tokens: Annotated[int, msgspec.Meta(ge=64)] = 8000
    """From nothing: size of the vocabulary, at most."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    """From nothing: share of activations that training leaves out."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What pretraining did to one objective, on texts it never read: mean loss in nats.

    Attributes:
        objective: Its name.
        before: Loss of the model that it began with.
        after: Loss of the model that it left.
        guess: Loss of knowing nothing but how often each token occurs (of a coin, for ``nsp``).
        head: Whether the layer that tells was ``new`` or came with the ``model``: a new one begins badly.
    """

    objective: str
    before: float
    after: float
    guess: float
    head: Literal["new", "model"]


class PretrainReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was done and what it was worth.

    Attributes:
        measured: Each objective's held-out losses.
        n_texts: Texts that were learned from.
        n_held: Texts that were only measured.
        epochs: Epochs that were trained.
        best_epoch: The one whose weights were kept.
        stopped: ``epochs``, ``patience`` or ``seconds``.
        seconds: Wall-clock time of the training, interruptions left out.
        settings: All of them.
        source: What it began from; empty where from nothing.
    """

    measured: tuple[Measured, ...]
    n_texts: int
    n_held: int
    epochs: int
    best_epoch: int
    stopped: str
    seconds: float
    settings: dict[str, Any]
    source: str = ""


@dataclass
class Pretrained:
    """A pretrained model with its report, and the heads that the next pretraining goes on with."""

    backbone: Backbone
    report: PretrainReport
    heads: nn.ModuleDict = field(repr=False)

    def save(self, folder: str | Path) -> None:
        """Write the model, its heads and its report, whole or not at all.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
        """
        from inkling.language._pretrain_heads import HEADS, heads_bytes

        report = msgspec.json.format(msgspec.json.encode(self.report), indent=2)
        self.backbone.save(folder, beside={HEADS: heads_bytes(self.heads), REPORT: report})


@dataclass(frozen=True)
class Keeping:
    """Where an interrupted pretraining is kept, and whether it goes on there.

    Attributes:
        folder: The checkpoint's folder.
        resume: Go on with what is there; without it, a checkpoint that is there is an error.
    """

    folder: Path
    resume: bool = False

    @property
    def begun(self) -> bool:
        """Tell whether there is something to go on with."""
        return (self.folder / STATE).exists()

    def remove(self) -> None:
        """Remove the checkpoint, when what it was for is saved."""
        shutil.rmtree(self.folder, ignore_errors=True)


def texts_of(dataset: Dataset) -> tuple[list[str], Provenance | None]:
    """Return the texts that a training part holds: of items that existed, and what people said in its events.

    Returns:
        The texts, and what they were made from; None where no event said anything.
    """
    known = dataset.known_items.tolist()
    items = [text for text, there in zip(dataset.items.texts(), known, strict=True) if there and text]
    said = [str(text) for text in dataset.interactions.texts if text]
    seen = Provenance(name="pretraining", trained_until=dataset.until, fingerprint=dataset.fingerprint)
    return items + said, seen if said else None


def pretrain(
    texts: Iterable[str],
    source: str | Path | None,
    config: PretrainConfig,
    run: Run,
    *,
    keeping: Keeping | None = None,
    learned: Provenance | None = None,
) -> Pretrained:
    """Pretrain a language model.

    Args:
        texts: What it reads; equal texts count once.
        source: What it begins from, as :func:`load_backbone` takes it; None begins from nothing.
        config: How.
        run: Seed, threads, progress.
        keeping: Where it can be taken up again after it was interrupted: to the same result.
        learned: The events behind the texts, for the model's card; None where there are none.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        DataError: There are too few texts, or none of them suits an objective.
        ConfigError: A setting does not fit the model, or a checkpoint is of another pretraining.
        StoreError: A checkpoint is damaged.
    """
    _check(config)
    need_transformers("Pretraining")
    from inkling.language._pretrain_work import Work

    return Work(corpus_of(texts, config.holdout), source, config, run, keeping).do(learned)


def _check(config: PretrainConfig) -> None:
    if not config.objectives:
        raise ConfigError("objectives is empty, expected mlm, clm or nsp.", hint="For example mlm,nsp.")
    if len(set(config.objectives)) < len(config.objectives):
        raise ConfigError(f"objectives names one twice: {', '.join(config.objectives)}.", hint="Name each once.")
    if config.dim % config.n_heads:
        raise ConfigError(
            f"dim {config.dim} is not divided by n_heads {config.n_heads}.", hint="For example 128 and 4."
        )
