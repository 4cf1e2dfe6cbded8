"""Language models of every tested architecture, small and at random, for tests that need one in a moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inkling.encoders.backbone import Backbone
    from inkling.language._pretrain_start import Kind

KINDS: tuple[Kind, ...] = ("bert", "roberta", "deberta-v2", "ernie", "t5", "gpt2", "qwen2", "qwen3", "xlnet")
TEXTS = (
    "a red mug for tea", "a blue mug for coffee", "a red cup", "green tea from the hills", "dark roasted coffee beans",
    "a film about a train", "a long film about two friends who travel by train to the sea and never come back",
    "two friends", "the sea in winter", "a novel about the sea", "我喜欢看电影和旅游", "红色的茶杯", "绿茶",
)  # fmt: skip


def small_backbone(kind: Kind = "bert", *, seed: int = 0, dim: int = 32, dropout: float = 0.0) -> Backbone:
    """Return two layers at random, with a tokenizer trained on ``TEXTS``."""
    from inkling.language._pretrain_start import FreshConfig, fresh_backbone

    config = FreshConfig(kind=kind, dim=dim, n_layers=2, n_heads=2, n_tokens=400, max_tokens=48, dropout=dropout)
    return fresh_backbone(TEXTS * 3, config, seed=seed)
