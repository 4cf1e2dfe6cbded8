"""One network for two questions: does a person click, and does a click become a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64
from inkling.core.candidates import Candidates
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.space import Choice, Space
from inkling.ranking._deep import DEEP_SPACE, Deep, DeepConfig, Drop, NotNegative, Parameters
from inkling.ranking._inputs import Inputs
from inkling.ranking._layers import averaged, climb, layer, stack, vectors
from inkling.ranking.base import RankingSet

TASKS = ("click", "conversion")


class MultitaskConfig(DeepConfig, frozen=True, kw_only=True):
    """Settings of ``multitask``; its loss is that of both tasks, so ``loss`` says nothing here."""

    loss: Literal["entire"] = "entire"  # type: ignore[assignment]
    """Log loss of clicks and of clicks that became conversions, both over everything shown."""
    towers: Literal["esmm", "shared", "mmoe"] = "esmm"
    """Towers of their own over shared vectors, over a shared layer, or over mixtures of shared experts."""
    experts: Annotated[int, msgspec.Meta(ge=1)] = 4
    """mmoe: how many."""
    click_value: NotNegative = 0.0
    """What a click is worth."""
    conversion_value: NotNegative = 1.0
    """What a conversion is worth."""


class Multitask(Deep):
    """ESMM (Ma et al. 2018): P(click) and P(click and conversion) = P(click) P(conversion | click), over all shown.

    Learning P(conversion | click) from clicks alone would be asked of items that nobody clicked; here both losses are
    over everything. ``shared`` puts both towers on one layer (Caruana 1997), ``mmoe`` on gated experts (MMoE, Ma et al.
    2018).

    Labels: ``RankingSet.labels`` is 1 where the person did anything that counts with the item in the window (a view, a
    click, a purchase), ``further["conversion"]`` is 1 where one of these was the event to be won (a purchase);
    :func:`inkling.ranking.labels_of_events` makes both from events. Candidates come by expected value, click_value
    P(click) + conversion_value P(click and conversion); a score is its log odds, or its log where it may exceed 1.
    """

    name = "multitask"
    Config = MultitaskConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"towers": "shared"}, {"towers": "mmoe"})
    space: ClassVar[Space] = {**DEEP_SPACE, "towers": Choice(("esmm", "shared", "mmoe"))}

    def __init__(self, config: MultitaskConfig | None = None) -> None:
        super().__init__()
        self.config: MultitaskConfig = config or MultitaskConfig()

    def _checked(self, data: RankingSet) -> tuple[str, ...]:
        names = super()._checked(data)
        if "conversion" not in data.further:
            raise DataError(
                "'multitask' cannot be fitted: the set has no label 'conversion' beside its clicks.",
                hint='Give it as RankingSet.further["conversion"].',
            )
        return names

    def _lesson(self, data: RankingSet) -> dict[str, Any]:
        lesson = super()._lesson(data)
        converted = (data.further["conversion"] > 0).astype(np.float32)
        return {**lesson, "labels": np.stack([np.maximum(lesson["labels"], converted), converted], axis=1)}

    def _start(self, rng: np.random.Generator) -> dict[str, F32]:
        config = self.config
        width = self._reader.width + 3 * config.item_dim
        own: dict[str, F32] = {}
        if config.item_dim:
            own["items"] = vectors(rng, self._reader.ids.n_codes, config.item_dim)
        below, widths = (width, config.hidden) if config.towers == "esmm" else (config.hidden[0], config.hidden[1:])
        if config.towers == "shared":
            own |= stack(rng, width, config.hidden[:1], name="shared")
        if config.towers == "mmoe":
            for expert in range(config.experts):
                own |= stack(rng, width, config.hidden[:1], name=f"expert{expert}")
            own |= {f"gate.{task}": layer(rng, width, config.experts) * 0.1 for task in TASKS}
        for task in TASKS:
            last = widths[-1] if widths else below
            own |= stack(rng, below, widths, name=task)
            own[f"{task}.out"] = rng.normal(0, 0.1 / last**0.5, last).astype(np.float32)
            own[f"{task}.bias"] = np.full(1, -1.0, dtype=np.float32)
        return own

    def _forward(self, xp: Any, p: Parameters, inputs: Inputs, drop: Drop) -> Any:
        x = inputs.x
        if "items" in p:
            item, had = p["items"][inputs.items], averaged(p, inputs)[inputs.people]
            x = xp.concatenate([x, item, had, item * had], axis=1)
        below = self._below(xp, p, x, drop)
        logits = [climb(p, below[t], drop, name=t) @ p[f"{t}.out"] + p[f"{t}.bias"] for t in TASKS]
        return xp.stack(logits, axis=1)

    def _below(self, xp: Any, p: Parameters, x: Any, drop: Drop) -> dict[str, Any]:
        """Return what each task's tower stands on."""
        if self.config.towers == "esmm":
            return dict.fromkeys(TASKS, x)
        if self.config.towers == "shared":
            return dict.fromkeys(TASKS, climb(p, x, drop, name="shared"))
        experts = xp.stack([climb(p, x, drop, name=f"expert{at}") for at in range(self.config.experts)], axis=1)
        found = {}
        for task in TASKS:
            gate = xp.exp((x @ p[f"gate.{task}"]).clip(-15, 15))
            gate = gate / gate.sum(1)[:, None]
            found[task] = (gate[:, :, None] * experts).sum(1)
        return found

    def probabilities(self, query: Query, items: Candidates) -> dict[str, F64]:
        """Return P(click) and P(click and conversion), each (N,), in the order of ``items``."""
        if not self._p or not len(items.item_rows):
            return {task: np.zeros(len(items.item_rows)) for task in TASKS}
        return _chances(self._forward(np, self._served, self._reader.read(query, items), lambda hidden: hidden))

    def _read_out(self, logits: F32) -> F32:
        chances, config = _chances(logits), self.config
        value = config.click_value * chances["click"] + config.conversion_value * chances["conversion"]
        value = np.maximum(value, 1e-12)
        if config.click_value + config.conversion_value > 1:
            return np.log(value).astype(np.float32)
        return (np.log(value) - np.log1p(-np.minimum(value, 1 - 1e-7))).astype(np.float32)


def _chances(logits: F32) -> dict[str, F64]:
    click, after = (1 / (1 + np.exp(-logits.astype(np.float64)))).T
    return {"click": click, "conversion": click * after}
