"""Settings of adapting a language model to behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

from inkling.core.config import Config
from inkling.core.errors import ConfigError, nearest

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, lt=1)]
Method = Literal["full", "lora", "adalora", "ia3"]

OBJECTIVES = ("sequence", "behaviour", "rating", "similarity", "category")
RATES: Mapping[Method, float] = {"full": 1e-4, "lora": 1e-3, "adalora": 2e-3, "ia3": 1e-2}
"""Learning rates where none is said: the fewer parameters move, the further each must go."""


class AdaptConfig(Config, frozen=True, kw_only=True):
    """Settings of :func:`inkling.language.adapt.adapt`."""

    objectives: dict[str, NotNegative] = msgspec.field(default_factory=lambda: {"sequence": 1.0})
    """What is learned, with its weight: sequence, behaviour, rating, similarity, category."""
    method: Method = "lora"
    """What moves: all weights (full), or through peft lora, adalora or ia3, which are merged afterwards."""
    rank: AtLeastOne = 32
    """Rank of lora; of adalora on average."""
    alpha: NotNegative = 0.0
    """lora adds alpha / rank of what it learns; 0 is twice the rank."""
    embeddings: bool = True
    """lora: whether the table of tokens moves too."""
    max_tokens: Annotated[int, msgspec.Meta(ge=3)] = 32
    """Tokens of a text that are read, in training and by the adapted model."""
    history: AtLeastOne = 10
    """So many of the things that a person chose before stand for them."""
    fade: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.9
    """What each of them counts beside the one after it."""
    temperature: Annotated[float, msgspec.Meta(gt=0)] = 0.05
    """Of the contrastive softmax at the beginning; it is learned."""
    batch_items: AtLeastOne = 128
    """Texts that are read in a step, each once."""
    hard_share: Share = 0.25
    """Share of them that are mined: what reads like the others and was never chosen with them."""
    pairs: AtLeastOne = 1024
    """At most so many examples (a person before an event, and its item) are looked at in a step."""
    negatives: AtLeastOne = 4096
    """Further texts that a choice is compared with, as they were when they were last read."""
    epochs: AtLeastOne = 3
    """At most so many passes over the texts."""
    patience: Annotated[int, msgspec.Meta(ge=0)] = 1
    """Stops after so many passes without a gain in NDCG@10 on people who are held out; 0 does not stop."""
    held_out: Share = 0.1
    """Share of the people (at most 500) whose last choice is not learned from, and tells when to stop."""
    max_seconds: NotNegative = 0.0
    """Stops training after so long; 0 is no limit."""
    learning_rate: NotNegative = 0.0
    """Step size of AdamW; 0 is 1e-4 for full, 1e-3 lora, 2e-3 adalora, 1e-2 ia3."""
    schedule: Literal["constant", "cosine", "linear"] = "linear"
    """The learning rate's course after the warm-up."""
    warmup: Share = 0.05
    """Share of the course during which it rises."""
    weight_decay: NotNegative = 0.01
    """Decoupled decay of what moves."""
    dropout: Share = 0.0
    """Share of hidden values that are left out in training, in the model and in what peft adds."""
    accumulate: AtLeastOne = 1
    """Steps whose gradients are averaged before weights move."""
    bf16: bool = False
    """Whether the network computes in bfloat16."""

    def __post_init__(self) -> None:
        """Check the objectives.

        Raises:
            ConfigError: One is not known, or none has a weight.
        """
        for name in self.objectives:
            if name not in OBJECTIVES:
                raise ConfigError(f"adapt: there is no objective '{name}'.", hint=nearest(name, OBJECTIVES))
        if not any(weight > 0 for weight in self.objectives.values()):
            raise ConfigError("adapt: no objective has a weight.", hint=f"Known: {', '.join(OBJECTIVES)}.")

    @property
    def rate(self) -> float:
        """Return the learning rate."""
        return self.learning_rate or RATES[self.method]

    def asks(self, name: str) -> bool:
        """Return whether an objective counts."""
        return self.objectives.get(name, 0.0) > 0
