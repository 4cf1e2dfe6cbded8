"""For large catalogues: one model that places people and items, an index, few columns, a small ranker."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal, Self, cast

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config, to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ConfigError, DataError, RequestError
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.space import Choice as Among
from inkling.core.space import Space, Whole
from inkling.engine import choose
from inkling.engine.members import is_slow, within
from inkling.engine.order import Choice, Orders, flat_scores, new_ranker, shares
from inkling.engine.pipeline import Explanation, PipelineReport, PipelineState, Trace
from inkling.engine.pipelines._lean_columns import NEAR, Past, Popularity
from inkling.engine.pipelines._lean_recall import LeanRecall
from inkling.engine.recall import MemberConfig, Recall, labels_of
from inkling.engine.shown import Shown
from inkling.engine.weights import Weights
from inkling.engine.windows import Window, windows
from inkling.ranking.base import RankingSet
from inkling.retrieval.base import Because, Placed, Retriever, Similar

_MEMBER = "near"
_LAST = 50  # of a person's items may be a reason
_TREES: dict[str, Any] = {"trees": 30, "learning_rate": 0.15, "leaves": 8}


class LeanConfig(Config, frozen=True, kw_only=True):
    """Settings of ``lean``."""

    retriever: MemberConfig = MemberConfig(retriever="sasrec", settings={"dim": 64})
    """The model that places people and items: one with vectors, such as sasrec, two_tower, als, bpr."""
    n_candidates: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 200
    """How many candidates of a person are ranked."""
    order: Literal["auto", "fused", "mimic", "gbdt"] = "auto"
    """What orders them: the model itself (fused), a small network, trees; auto takes what is best on validation."""
    n_windows: Annotated[int, msgspec.Meta(ge=1, le=6)] = 2
    """How many windows of the past teach the order."""
    half_life_days: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    """Age at which an event counts half in popularity."""
    minutes: Annotated[float, msgspec.Meta(ge=0)] = 30.0
    """How long the model may learn at most, over all windows and the whole; 0 is no limit."""
    diversity: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    """Share of variety in the first places; 0 leaves the order alone."""


class Lean:
    """Sequence or item vectors -> the nearest by an index -> a small ranker -> variety: made to answer within 1 ms."""

    name = "lean"
    Config = LeanConfig
    space: ClassVar[Space] = {"n_candidates": Whole(100, 400, log=True), "order": Among(("auto", "fused", "mimic"))}

    def __init__(self, config: LeanConfig | None = None, scenario: Scenario | None = None) -> None:
        """Take settings and what the business wants."""
        self.config = config or LeanConfig()
        self.scenario = scenario or Scenario()
        self._recall = self._new(self.config.retriever, Popularity(self.config.half_life_days))
        self._choice = Choice("fused", Weights({_MEMBER: 1.0}), None, (1.0, 0.0), {})
        self._report = PipelineReport()
        self._shown = Shown(self.scenario)

    def _new(self, member: MemberConfig, popular: Popularity) -> LeanRecall:
        """Return what finds candidates, with an unfitted model.

        Raises:
            ConfigError: The retriever does not place people and items.
        """
        model = Recall.of({_MEMBER: member}).members[_MEMBER]
        if not hasattr(type(model), "place"):
            raise ConfigError(
                f"'lean' needs a retriever that places people and items, and '{member.retriever}' does not.",
                hint="Take one with vectors: sasrec, gru4rec, two_tower, als, bpr, softmax_cf.",
            )
        return LeanRecall(cast("Placed", model), popular, self.scenario.seen == "keep")

    # -- learning -------------------------------------------------------------------------------------------------

    def fit(self, data: Dataset, run: Run, *, minutes: float = 0.0) -> Self:
        """Learn the model, and by windows of the past what orders its candidates.

        Raises:
            DataError: There is no positive event to learn from.
            MissingExtraError: The model needs torch to be fitted, and it is not installed.
        """
        if not data.interactions.positive.any():
            raise DataError(
                f"None of the {len(data.interactions)} events is positive.", hint="Name some in the scenario."
            )
        start = time.perf_counter()
        self.scenario = data.scenario
        self._shown = Shown(self.scenario)
        limit = min(minutes or float("inf"), self.config.minutes or float("inf")) * 60
        found = windows(data, self.config.n_windows, run)
        each = limit / (len(found) + 1)
        past = [
            self._judged(window, run, each) for window in run.track(found, "learning from the past", total=len(found))
        ]
        wanted = ("fused", "mimic", "gbdt") if self.config.order == "auto" else (self.config.order,)
        if past:
            orders = Orders(wanted, {"gbdt": _TREES})
            self._choice = orders.choose(past, (_MEMBER,), run, deadline=start + limit)
        self._learn(data, run, each)
        self._report = PipelineReport(
            self._choice.validation, self._choice.order, (), shares(self._choice.ranker), time.perf_counter() - start
        )
        return self

    def _learn(self, data: Dataset, run: Run, seconds: float) -> None:
        """Fit the model on data, and count what is popular in it."""
        popular = Popularity.of(
            data.interactions, data.n_items, until=data.until, half_life_days=self.config.half_life_days
        )
        member = within(self.config.retriever, seconds) if is_slow(self.config.retriever) else self.config.retriever
        self._recall = self._new(member, popular)
        self._retriever.fit(data, run)

    def _judged(self, window: Window, run: Run, seconds: float) -> choose.Judged:
        self._learn(window.train, run, seconds)
        query = self._shown.limited(window.train.query(window.user_rows))
        items = self._recall.candidates(query, self.config.n_candidates)
        labels = labels_of(items, (window.targets.offsets, window.targets.values), query.n_items)
        return choose.judged(RankingSet(query, items, labels), window.targets)

    @property
    def _retriever(self) -> Retriever:
        return cast("Retriever", self._recall.model)

    # -- answering ------------------------------------------------------------------------------------------------

    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None:
        """Take what resolves the filters of the scenario's rules."""
        self._shown = Shown(
            self.scenario, diversity=self.config.diversity, mask_of=mask_of, vectors=lambda: self._recall.model.vectors
        )

    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]:
        """Return nothing: no encoder reads here."""
        return {}

    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates:
        """Return each person's first k.

        Raises:
            RequestError: The question says something: nothing here reads texts.
        """
        if any(query.texts):
            raise RequestError("The pipeline 'lean' reads no texts.", hint="Ask without 'text', or serve 'default'.")
        with trace.stage("recall"):
            limited = self._shown.limited(query)
            items = self._recall.candidates(limited, max(self.config.n_candidates, k))
        with trace.stage("rank"):
            bare = Candidates(items.offsets, items.item_rows, items.scores, items.sources, items.source_names)
            items = bare.with_scores(self._probability(self._scores(limited, items)))
        with trace.stage("policy"):
            return self._shown.apply(limited, items, k)

    def _scores(self, query: Query, items: Candidates) -> F32:
        ranker = self._choice.ranker
        return items.fields[NEAR] if ranker is None else flat_scores(ranker, query, items)

    def _probability(self, scores: F32) -> F32:
        slope, intercept = self._choice.curve
        chance: F32 = (1 / (1 + np.exp(-np.clip(slope * scores + intercept, -60, 60)))).astype(np.float32)
        return chance

    def score(self, query: Query, items: Jagged) -> F32:
        """Return the probability (N,) that a person takes an item, in the order of ``items``, as if each came alone."""
        found = self._asked(query, items)
        chance = self._probability(self._scores(query, found))
        keys = found.segment_rows * query.n_items + found.item_rows
        order = np.argsort(keys)
        owner = np.repeat(np.arange(len(items), dtype=np.int64), np.diff(items.offsets))
        chances: F32 = chance[order][np.searchsorted(keys[order], owner * query.n_items + items.values)]
        return chances

    def _asked(self, query: Query, items: Jagged) -> Candidates:
        shown = replace(self._shown.limited(query), candidates=None)
        asked = replace(query, candidates=items, exclude=None, allowed=None)
        return self._recall.asked(asked, shown, self.config.n_candidates)

    def similar(self, item_rows: I32, k: int, *, allowed: Bool | None = None) -> Candidates:
        """Return the items nearest to each item."""
        member = self._recall.model
        if not isinstance(member, Similar):
            return Candidates.empty(len(item_rows), source="similar")
        found = member.similar(item_rows, k if allowed is None else 4 * k + 50)
        return (found if allowed is None else found.keep(allowed[found.item_rows])).top(k)

    def explain(self, query: Query, item_rows: I32) -> list[Explanation]:
        """Return which of a person's last items each item lies nearest to."""
        found = self._asked(query, Jagged.from_lists([item_rows]))
        vectors = self._recall.model.vectors
        past = Past.of(query.history, 0, len(vectors))
        return [self._explained(found, int(row), past, vectors) for row in item_rows]

    def _explained(self, found: Candidates, row: int, past: Past, vectors: F32) -> Explanation:
        at = int(np.flatnonzero(found.item_rows == row)[0])
        features = {name: float(column[at]) for name, column in found.fields.items()}
        last = past.last_distinct(_LAST)
        if row in last.tolist():
            return Explanation("repeat", (Because("repeat", row, 1.0),), {_MEMBER: 1.0}, features)
        if not len(last) or row >= len(vectors) or not vectors[row].any():
            return Explanation("popular", (), {"popular": 1.0}, features)
        near = vectors[last] @ vectors[row]
        best = np.argsort(-near, kind="stable")[:3]
        because = tuple(Because("because_item", int(last[b]), float(near[b])) for b in best if near[b] > 0)
        return Explanation("because_item" if because else "popular", because, {_MEMBER: 1.0}, features)

    # -- keeping up -----------------------------------------------------------------------------------------------

    def observe(self, events: Interactions) -> None:
        """Count new events."""
        self._recall.popular.update(events)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in new or changed items: nothing here reads them, they come in with the next fit."""

    def wait(self) -> None:
        """Make the index now, and wait until it answers."""
        self._recall.index.wait(self._recall.model.vectors)

    def report(self) -> PipelineReport:
        """Return what the fit chose."""
        return self._report

    def save(self) -> PipelineState:
        """Return everything learned as plain data."""
        choice, popular = self._choice, self._recall.popular
        arrays: dict[str, Mapping[str, Array]] = {
            "model": self._retriever.state(),
            "popular": {"amounts": popular.amounts, "start": np.array([popular.start])},
        }
        if choice.ranker is not None:
            arrays["ranker"] = choice.ranker.state()
        report = msgspec.to_builtins(self._report)
        settings = {
            "config": to_dict(self.config),
            "order": choice.order,
            "curve": list(choice.curve),
            "report": report,
        }
        return PipelineState(settings, arrays)

    def load(self, state: PipelineState) -> Self:
        """Take back what ``save`` returned; the index is made on a thread of its own."""
        kept = state.arrays["popular"]
        popular = Popularity(self.config.half_life_days, int(kept["start"][0]), np.array(kept["amounts"]))
        self._recall = self._new(self.config.retriever, popular)
        self._retriever.load_state(state.arrays["model"])
        order, (slope, intercept) = str(state.settings["order"]), state.settings["curve"]
        settings = _TREES if order == "gbdt" else {}
        ranker = None if order == "fused" else new_ranker(order, settings).load_state(state.arrays["ranker"])
        self._choice = Choice(order, Weights({_MEMBER: 1.0}), ranker, (float(slope), float(intercept)), {})
        self._report = msgspec.convert(state.settings["report"], PipelineReport)
        return self
