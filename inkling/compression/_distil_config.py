"""Settings of distilling."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from inkling.core.config import Config
from inkling.core.errors import ConfigError
from inkling.language._adapt_config import AdaptConfig

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]


class TeachConfig(Config, frozen=True, kw_only=True):
    """How a smaller model is taught, whatever it is."""

    neighbours: NotNegative = 1.0
    """Weight of the neighbourhoods: the divergence of its softmax over the catalogue from the teacher's."""
    vectors: NotNegative = 1.0
    """Weight of the teacher's vectors themselves: one less the cosine."""
    choices: NotNegative = 0.3
    """Weight of what people chose next, where there are events."""
    sharpness: Positive = 20.0
    """What cosines are multiplied by before the softmax over neighbours."""
    temperature: Positive = 0.05
    """Of the softmax over choices at the beginning; it is learned."""
    nearest: Annotated[int, msgspec.Meta(ge=0)] = 8
    """So many of the teacher's nearest texts of each text that is read are looked at besides."""
    columns: AtLeastOne = 2048
    """At most so many further texts are drawn, to be told from neighbours and from choices."""
    pairs: AtLeastOne = 1024
    """At most so many choices are looked at in a step."""
    history: AtLeastOne = 10
    """So many of the things that a person chose before stand for them."""
    fade: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    """What each of them counts beside the one after it."""
    batch_items: AtLeastOne = 64
    """Texts that are read in a step."""
    max_tokens: Annotated[int, msgspec.Meta(ge=3)] = 64
    """Tokens of a text that are read in training."""
    epochs: AtLeastOne = 4
    """At most so many passes over the texts."""
    patience: Annotated[int, msgspec.Meta(ge=0)] = 2
    """Stops after so many passes without a gain on what is held out; 0 does not stop."""
    held_out: Share = 0.1
    """Share of the people (at most 500) whose last choice tells when to stop; without events, of the texts."""
    max_seconds: NotNegative = 0.0
    """Stops training after so long; 0 is no limit."""
    learning_rate: Positive = 3e-4
    """Step size of AdamW."""
    schedule: Literal["constant", "cosine", "linear"] = "linear"
    """The learning rate's course after the warm-up."""
    warmup: Share = 0.05
    """Share of the course during which it rises."""
    weight_decay: NotNegative = 0.01
    """Decoupled decay."""
    accumulate: AtLeastOne = 1
    """Steps whose gradients are averaged before weights move."""
    bf16: bool = False
    """Whether the network computes in bfloat16."""

    def __post_init__(self) -> None:
        """Check the weights.

        Raises:
            ConfigError: None is above zero.
        """
        if not (self.neighbours > 0 or self.vectors > 0 or self.choices > 0):
            raise ConfigError("distil: no objective has a weight.", hint="Known: neighbours, vectors, choices.")

    @property
    def behaviour(self) -> AdaptConfig:
        """Return how examples are made of events."""
        return AdaptConfig(
            objectives={"sequence": 1.0} if self.choices > 0 else {"similarity": 1.0},
            max_tokens=self.max_tokens,
            history=self.history,
            fade=self.fade,
            batch_items=self.batch_items,
            hard_share=0.0,
            pairs=self.pairs,
            negatives=self.columns,
            held_out=self.held_out,
        )


class DistilConfig(TeachConfig, frozen=True, kw_only=True):
    """Settings of :func:`inkling.compression.distil.distil`."""

    layers: tuple[int, ...] = ()
    """The teacher's layers that the student begins as, from 0; empty spreads them evenly, the last among them."""
    narrow: Share = 0.0
    """Share of the kept blocks' parameters (feed-forward units and heads) that is pruned before the lessons."""


class StaticConfig(TeachConfig, frozen=True, kw_only=True):
    """Settings of :func:`inkling.compression.distil.distil_static`."""

    dim: AtLeastOne = 256
    """Length of a vector."""
    sif: Positive = 1e-4
    """A token begins with the weight ``sif / (sif + p)``, p being how common it is (Arora et al. 2017)."""
    unseen: bool = True
    """Whether tokens that the catalogue has not get a vector too, so that new texts are read whole."""
    pull: Positive = 1.0
    """Ridge of the regression on the teacher's vectors that the lessons begin with."""
    dropout: Share = 0.1
    """Share of a text's tokens that a step leaves out."""
    batch_items: AtLeastOne = 512
    """Texts that are read in a step."""
    max_tokens: Annotated[int, msgspec.Meta(ge=3)] = 256
    """Tokens of a text that are read."""
    epochs: AtLeastOne = 30
    """At most so many passes over the texts."""
    patience: Annotated[int, msgspec.Meta(ge=0)] = 4
    """Stops after so many passes without a gain on what is held out; 0 does not stop."""
    learning_rate: Positive = 3e-3
    """Step size of AdamW."""
    weight_decay: NotNegative = 0.0
    """Decoupled decay."""
