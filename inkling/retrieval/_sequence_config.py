"""What sequence models may be told."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from inkling.core.config import Config
from inkling.retrieval._taste import AtLeastZero, Count, Positive

One = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(ge=0.0, lt=1.0)]
Part = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class SequenceConfig(Config, frozen=True, kw_only=True):
    """Settings that sequence models have in common."""

    dim: One = 128
    """Numbers in an item's and a person's vector."""
    blocks: One = 1
    """Layers of the network."""
    heads: One = 2
    """Heads of attention; they divide ``dim``."""
    dropout: Share = 0.3
    """Share of numbers left out at random while training."""
    length: Annotated[int, msgspec.Meta(ge=2)] = 50
    """So many of a person's last positive events are read."""
    windows: Literal["last", "all"] = "last"
    """What is trained on: each person's last ``length`` events, or all, cut into parts of that length."""
    compare: Literal["cosine", "dot"] = "cosine"
    """How a person's vector meets an item's: the cosine times a learned scale, or the dot product."""
    scale: Positive = 12.0
    """The scale that cosines begin with."""
    start: Literal["near", "random"] = "near"
    """Where items' vectors begin: where co-occurrence puts them, or anywhere."""
    loss: Literal["sampled", "softmax", "gbce", "bce", "bpr"] = "sampled"
    """``sampled`` is the softmax over ``negatives`` with logQ correction, ``softmax`` that over the catalogue."""
    negatives: One = 2048
    """Items drawn for each batch, shared by its events."""
    popularity: AtLeastZero = 0.0
    """Negatives are drawn by the items' counts to this power; 0 draws all items alike."""
    calibration: Part = 0.75
    """The t of ``gbce``: 0 is ``bce``, 1 undoes the overconfidence of sampled negatives."""
    lr: Positive = 0.002
    """Learning rate."""
    weight_decay: AtLeastZero = 0.01
    """Decoupled weight decay of AdamW."""
    schedule: Literal["constant", "cosine", "linear"] = "cosine"
    """The learning rate's course after the warm-up."""
    warmup: Share = 0.1
    """Share of the epochs during which the learning rate rises."""
    clip: AtLeastZero = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    ema: Share = 0.0
    """Weight of the past in a running mean of the weights, which then answers; 0 is off."""
    bf16: bool = False
    """Compute in bfloat16 while training: for processors that have it."""
    batch_tokens: One = 1750
    """Events in a batch; a twentieth of the number of items where that is more."""
    epochs: One = 8
    """Passes over the events at most."""
    patience: Count = 3
    """Measurements on validation without a better one before training stops; 0 never stops early."""
    validation: Share = 0.05
    """Share of people whose last positive event is held out to stop in time; 0 trains on all, for all epochs."""
    validation_people: Count = 1000
    """At most so many people are held out."""
    finish: Count = 0
    """Epochs on everything, the held-out events too, after the best ones were found."""
    max_seconds: AtLeastZero = 0.0
    """Wall-clock budget of a fit without the reading of texts, at least one step; 0 is none."""
    warm: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.3
    """Share of ``epochs`` that is trained when starting from an earlier model."""
    text: Literal["off", "add"] = "off"
    """Whether an item's language vector is added to its own, through a learned projection."""
    forget: Share = 0.2
    """With text: chance, while training, that an item goes by its text alone, so that new items can."""
    encoder: str = "auto"
    """The encoder that reads the items, by name or folder."""
