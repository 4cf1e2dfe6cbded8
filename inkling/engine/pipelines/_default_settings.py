"""Settings of the default pipeline."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from inkling.core.config import Config
from inkling.engine.members import MEMBERS
from inkling.engine.recall import MemberConfig
from inkling.engine.rereading import RankConfig
from inkling.features.table import GROUPS

TREES: dict[str, Any] = {"trees": 60, "learning_rate": 0.1, "leaves": 16, "feature_share": 0.6, "row_share": 1.0}


class DefaultConfig(Config, frozen=True, kw_only=True):
    """Settings of the default pipeline."""

    members: dict[str, MemberConfig] = msgspec.field(default_factory=lambda: dict(MEMBERS))
    """Retrievers by the name that reports and reasons use."""
    n_candidates: int = 200
    """How many candidates of a person are ranked."""
    order: Literal["auto", "fused", "linear", "gbdt", "deepfm", "dcn", "din"] = "auto"
    """What orders the candidates; auto takes the best of the first three on validation."""
    n_windows: int = 3
    """How many windows of the past teach the order; twice as many where there are few events."""
    features: tuple[str, ...] = tuple(GROUPS)
    """Groups of features that a ranker reads."""
    linear: dict[str, Any] = msgspec.field(default_factory=lambda: {"pairs": 4})
    """Settings of the linear ranker."""
    gbdt: dict[str, Any] = msgspec.field(default_factory=lambda: dict(TREES))
    """Settings of the boosted trees."""
    network: dict[str, Any] = {}
    """Settings of the network, where ``order`` names one."""
    encoder: str = "auto"
    """What reads texts."""
    keep_always: tuple[str, ...] = ("popular", "semantic")
    """Members that stay even where validation does not need them: for new people, new items and free text."""
    leave_out: tuple[str, ...] = ()
    """Members that are not asked."""
    deep_minutes: float = 15.0
    """How long the members that take minutes, such as ``sequence``, may learn together; 0 leaves them out."""
    rank: RankConfig = RankConfig()
    """What a language model does for the order, beside the fast ranker: nothing, unless it is named."""
    sentences: Annotated[int, msgspec.Meta(ge=0)] = 500
    """So many people's profiles, as sentences, teach what to show whoever is known by a sentence alone; 0 is none."""
    diversity: float = 0.0
    """Share of variety in the first k (maximal marginal relevance); 0 leaves the order alone."""
