"""The default: several retrievers, one order, chosen by validation windows inside the training data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config, to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.space import Real, Space, Whole
from inkling.core.tables import TEXT_COLUMNS, item_text
from inkling.engine import choose, ratings
from inkling.engine.beside import placed
from inkling.engine.carry import better, carried_choice, member_states
from inkling.engine.grounds import asked_for, explanations
from inkling.engine.members import MEMBERS, carried, is_slow, within
from inkling.engine.near import near_fields
from inkling.engine.order import Choice, Orders, asked_columns, flat_scores, new_ranker, shares
from inkling.engine.past import Past, go_on
from inkling.engine.pipeline import Explanation, MemberReport, PipelineReport, PipelineState, Start, Trace
from inkling.engine.ranks import ranked_fields
from inkling.engine.recall import OPINION, MemberConfig, Recall
from inkling.engine.said import Said
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.engine.weights import Weights
from inkling.engine.windows import windows
from inkling.features.table import GROUPS, FeatureTable
from inkling.ranking.rating import Rating, RatingConfig
from inkling.retrieval.base import Similar
from inkling.retrieval.semantic import Semantic, SemanticConfig

_MORE_BY_TEXT = 100
_SMALL = 50_000  # positive events below which more windows are looked at: each holds few people
TREES: dict[str, Any] = {"trees": 60, "learning_rate": 0.1, "leaves": 16, "feature_share": 0.6, "row_share": 1.0}
_ORDERS = ("fused", "linear", "gbdt")


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
    diversity: float = 0.0
    """Share of variety in the first k (maximal marginal relevance); 0 leaves the order alone."""


class Default:
    """Recall by all members, features, an order that validation chose, the scenario's policies."""

    name = "default"
    Config = DefaultConfig
    space: ClassVar[Space] = {
        "n_windows": Whole(1, 6),
        "n_candidates": Whole(100, 400, log=True),
        "gbdt.trees": Whole(30, 300, log=True),
        "gbdt.leaves": Whole(4, 32, log=True),
        "gbdt.learning_rate": Real(0.03, 0.3, log=True),
    }

    def __init__(self, config: DefaultConfig | None = None, scenario: Scenario | None = None) -> None:
        """Take settings and what the business wants."""
        self.config = config or DefaultConfig()
        self.scenario = scenario or Scenario()
        self._reader = TextReader(self.config.encoder)
        self._recall = Recall.of(self.config.members, encoder=self._reader)
        self._features = FeatureTable(self.config.features)
        self._said = Said(Semantic(SemanticConfig(encoder=self.config.encoder), encoder=self._reader))
        self._choice = Choice("fused", Weights({}), None, (1.0, 0.0), {})
        self._start: Start | None = None
        self._left_out: tuple[str, ...] = ()
        self._rating: Rating | None = None
        self._unrated = ""
        self._report = PipelineReport()
        self._shown = Shown(self.scenario)

    # -- learning -------------------------------------------------------------------------------------------------

    def start(self, given: Start) -> Self:
        """Begin the next fit from what such a pipeline learned on other data: its order, and its slow members."""
        self._start = given
        return self

    def fit(self, data: Dataset, run: Run, *, minutes: float = 0.0) -> Self:
        """Learn members, weights and the order.

        Raises:
            DataError: There is no positive event to learn from.
        """
        if not data.interactions.positive.any():
            raise DataError(
                f"None of the {len(data.interactions)} events is positive.",
                hint=f"Positive are: {', '.join(self.scenario.positive)}. Set [positive] in dataset.toml.",
            )
        start = time.perf_counter()
        self._reader.fit(data.items.texts(), run)
        self.scenario = data.scenario
        self._shown = Shown(self.scenario)
        limit = minutes * 60 if minutes > 0 else float("inf")
        deep = min(60 * self.config.deep_minutes, 0.4 * limit)
        asked = {name: member for name, member in self.config.members.items() if name not in self.config.leave_out}
        able = carried(asked, data, seconds=deep)
        past = Past(
            able.members, self._reader, self._shown, self.config.features, self.config.n_candidates,
            self.config.keep_always, self._start, self._said.semantic.fit(data, run).vectors,
        )  # fmt: skip
        small = int(data.interactions.positive.sum()) < _SMALL
        found = windows(data, self.config.n_windows * (2 if small else 1), run)
        orders = self._orders()
        judged = past.look(found, orders, run, deadline=start + 0.6 * limit, seconds=0.6 * deep)
        self._choose(judged, past.members, orders, run, deadline=start + 0.75 * limit)
        self._recall = self._whole(able.members, seconds=0.4 * deep)
        if self._start is not None:
            go_on(self._recall, member_states(self._start), self._start.item_ids)
        seconds = self._learn(data, run)
        left_out = {**able.left_out, **past.left_out, **self._recall.left_out}
        unneeded = (f"{name}: adds nothing on validation" for name in past.dropped)
        reasons = (*unneeded, *(f"{name}: {why}" for name, why in left_out.items()), self._unrated)
        self._left_out = tuple(reason for reason in reasons if reason)
        self._tell(judged, seconds, data, time.perf_counter() - start)
        return self

    def _orders(self) -> Orders:
        wanted = _ORDERS if self.config.order == "auto" else (self.config.order,)
        return Orders(wanted, {order: self._settings(order) for order in wanted})

    def _settings(self, order: str) -> dict[str, Any]:
        return {"gbdt": self.config.gbdt, "linear": self.config.linear}.get(order, self.config.network)

    def _choose(
        self,
        judged: Sequence[choose.Judged],
        members: Mapping[str, MemberConfig],
        orders: Orders,
        run: Run,
        *,
        deadline: float,
    ) -> None:
        """Take weights and the order from validation; without any, all members count alike."""
        names = [name for name in members if all(OPINION + name in window.items.fields for window in judged)]
        self._choice = Choice("fused", Weights(dict.fromkeys(names, 1.0)), None, (1.0, 0.0), {})
        if judged:
            self._choice = orders.choose(judged, names, run, deadline=deadline)
        self._choice = better(self._choice, carried_choice(self._start, names), judged)

    def _whole(self, able: Mapping[str, MemberConfig], *, seconds: float) -> Recall:
        """Return the chosen members for the last fit, which starts anew: to go on from a window's costs quality."""
        chosen = {name: member for name, member in able.items() if name in self._choice.weights}
        slow = [name for name, member in chosen.items() if is_slow(member)]
        chosen |= {name: within(chosen[name], seconds / len(slow)) for name in slow}
        return Recall.of(chosen, encoder=self._reader)

    def _learn(self, data: Dataset, run: Run) -> dict[str, float]:
        """Fit members and features on everything; return each member's seconds."""
        run.progress("learning from everything", 0, 1)
        seconds = self._recall.fit(data, run)
        self._features.fit(data)
        self._said.semantic.fit(data, run)
        self._rating, self._unrated = ratings.fitted(data, run) if self.scenario.score == "rating" else (None, "")
        run.progress("learning from everything", 1, 1)
        return seconds

    def refit(self, data: Dataset, run: Run) -> Self:
        """Learn members and features from newer data, with the order that an earlier fit chose."""
        self._reader.use(run)
        self._learn(data, run)
        return self

    def _tell(self, past: list[choose.Judged], seconds: Mapping[str, float], data: Dataset, fit_s: float) -> None:
        whole = choose.mean_alone(past, self._choice.weights)
        members = []
        for name, member in self._recall.members.items():
            alone = choose.mean_alone(past, {name: 1.0})
            rest = {other: weight for other, weight in self._choice.weights.items() if other != name}
            members.append(
                MemberReport(
                    name,
                    self._choice.weights.get(name, 0.0),
                    alone,
                    choose.mean_alone(past, rest),
                    _milliseconds(member, data),
                    to_dict(member.config),
                    f"fitted in {seconds[name]:.1f} s",
                )
            )
        self._report = PipelineReport(
            {"fused_in_sample": whole, **self._choice.validation},
            self._choice.order,
            tuple(members),
            shares(self._choice.ranker),
            fit_s,
            self._left_out,
            ratings.errors(self._rating),
        )

    # -- answering ------------------------------------------------------------------------------------------------

    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None:
        """Take what resolves the filters of the scenario's rules."""
        self._shown = Shown(
            self.scenario, diversity=self.config.diversity, mask_of=mask_of, vectors=lambda: self._said.semantic.vectors
        )

    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]:
        """Return the texts' vectors by the encoder's name."""
        return {self.config.encoder: self._reader.ask(texts)}

    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates:
        """Return each person's first k."""
        limit = max(self.config.n_candidates, k)
        with trace.stage("recall"):
            limited = self._shown.limited(query)
            items = self._recall.candidates(limited, self._choice.weights, limit=limit)
            if query.texts:
                asked = self._said.asked(limited, items)
                items = self._recall.candidates(asked, self._choice.weights, limit=limit + _MORE_BY_TEXT)
        with trace.stage("features"):
            if self._choice.order != "fused":
                wanted = asked_columns(self._choice.ranker)
                items = ranked_fields(self._described(limited, items, wanted=wanted))
        with trace.stage("rank"):
            scores = self._probability(self._scores(limited, items))
            bare = Candidates(items.offsets, items.item_rows, items.scores, items.sources, items.source_names)
            items = bare.with_scores(scores)
            if query.texts:
                items = self._said.joined(limited, items)
        with trace.stage("policy"):
            return self._shown.apply(limited, items, k)

    def _described(self, query: Query, items: Candidates, *, wanted: frozenset[str] | None = None) -> Candidates:
        """Return candidates with the columns that a ranker reads, but for the places of opinions."""
        found = self._features.compute(query, items, wanted=wanted)
        return near_fields(self._said.semantic.vectors, query, found, wanted=wanted)

    def _scores(self, query: Query, items: Candidates) -> F32:
        if self._choice.order == "fused" or self._choice.ranker is None:
            return choose.fused(query, items, self._choice.weights)
        return flat_scores(self._choice.ranker, query, items)

    def _probability(self, scores: F32) -> F32:
        slope, intercept = self._choice.curve
        chance: F32 = (1 / (1 + np.exp(-(slope * scores + intercept)))).astype(np.float32)
        return chance

    def score(self, query: Query, items: Jagged) -> F32:
        """Return the probability (N,) that a person takes an item, in the order of ``items``, as if each came alone.

        Where the scenario asks for ratings and there were some to learn from, the rating.
        """
        if self._rating is not None:
            return ratings.predicted(self._rating, query, items)
        beside = self._recall.candidates(
            self._shown.limited(query), self._choice.weights, limit=self.config.n_candidates
        )
        asked = replace(query, candidates=items, exclude=None, allowed=None)
        found = self._recall.candidates(asked, self._choice.weights, limit=max(len(items.values), 1))
        found = self._described(asked, placed(found, ranked_fields(beside)))
        chance = self._probability(self._scores(asked, found))
        n_items = query.n_items
        order = np.argsort(found.segment_rows * n_items + found.item_rows)
        keys = (found.segment_rows * n_items + found.item_rows)[order]
        owner = np.repeat(np.arange(len(items), dtype=np.int64), np.diff(items.offsets))
        chances: F32 = chance[order][np.searchsorted(keys, owner * n_items + items.values)]
        return chances

    def similar(self, item_rows: I32, k: int, *, allowed: Bool | None = None) -> Candidates:
        """Return neighbours of items, by all members that know any, by their ranks."""
        lists = []
        for row in item_rows.tolist():
            votes: dict[int, float] = {}
            for name, member in self._recall.members.items():
                if isinstance(member, Similar):
                    found = member.similar(np.array([row], dtype=np.int32), 3 * k)
                    for rank, other in enumerate(found.item_rows.tolist()):
                        if other != row and (allowed is None or allowed[other]):
                            votes[other] = votes.get(other, 0.0) + (self._choice.weights.get(name, 0.0) + 0.25) / (
                                rank + 10
                            )
            lists.append(sorted(votes.items(), key=lambda vote: -vote[1])[:k])
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        flat = [vote for one in lists for vote in one]
        rows = np.array([row for row, _ in flat], dtype=np.int32)
        return Candidates.of(offsets, rows, np.array([v for _, v in flat], dtype=np.float32), source="similar")

    def explain(self, query: Query, item_rows: I32) -> list[Explanation]:
        """Return what each item's score rests on, for the one person of ``query``, beside their other candidates."""
        beside = self._recall.candidates(
            self._shown.limited(query), self._choice.weights, limit=self.config.n_candidates
        )
        wanted = np.union1d(beside.item_rows, item_rows).astype(np.int32)
        asked = replace(query, candidates=Jagged.from_lists([wanted]), exclude=None, allowed=None)
        items = self._recall.candidates(asked, self._choice.weights, limit=len(wanted))
        items = ranked_fields(self._described(asked, items))
        order = np.argsort(items.item_rows)
        flat = order[np.searchsorted(items.item_rows[order], item_rows)]
        picked = items.select(flat, np.array([0, len(flat)], dtype=np.int64))
        mine = self._choice.weights.of(len(query.history.item_rows))
        found = explanations(self._recall.members, mine, self._choice.ranker, asked, picked)
        if not query.texts:
            return found
        near = self._said.cosines(query, np.zeros(len(item_rows), dtype=np.int64), item_rows)
        return [asked_for(one, float(cosine)) for one, cosine in zip(found, near, strict=True)]

    # -- keeping up -----------------------------------------------------------------------------------------------

    def observe(self, events: Interactions) -> None:
        """Move counters on."""
        self._recall.update(events)
        self._features.update(events)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Read new or changed items."""
        texts = [item_text([item.get(column) for column in TEXT_COLUMNS]) for item in items]
        if any(texts):
            self.place_items(item_rows, self.read(texts))

    def list_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in what needs no reading: nothing, as popularity, habits and rules come with events and attributes."""

    def read(self, texts: Sequence[str]) -> F32:
        """Return what items say as vectors (N, dim)."""
        return self._reader.encode(texts)

    def place_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the vectors of items that were read."""
        self._recall.put_items(item_rows, vectors)
        self._said.semantic.put_items(item_rows, vectors)

    @property
    def encoder(self) -> str:
        """Return the name under which texts' vectors are known."""
        return self.config.encoder

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, dim), of length one or zero."""
        return self._said.semantic.vectors

    def forget(self, texts: Sequence[str]) -> None:
        """Drop the vectors that are kept of these texts."""
        self._reader.forget(texts)

    def report(self) -> PipelineReport:
        """Return what the fit chose and why."""
        return self._report

    # -- keeping --------------------------------------------------------------------------------------------------

    def save(self) -> PipelineState:
        """Return everything learned as plain data."""
        arrays: dict[str, Mapping[str, Array]] = {
            f"member.{name}": member.state() for name, member in self._recall.members.items()
        }
        arrays["features"] = self._features.state()
        arrays["said"] = self._said.semantic.state()
        if self._choice.ranker is not None:
            arrays["ranker"] = self._choice.ranker.state()
        if self._rating is not None:
            arrays["rating"] = self._rating.state()
        settings = {
            "config": to_dict(self.config),
            "weights": self._choice.weights.to_builtins(),
            "order": self._choice.order,
            "curve": list(self._choice.curve),
            "report": msgspec.to_builtins(self._report),
        }
        return self._reader.kept(PipelineState(settings, arrays))

    def load(self, state: PipelineState) -> Self:
        """Take back what ``save`` returned; the settings are those that this pipeline was made with."""
        saved = state.settings
        self._reader.load(state)
        self._recall.members = {
            name: member.load_state(state.arrays[f"member.{name}"])
            for name, member in self._recall.members.items()
            if f"member.{name}" in state.arrays
        }
        self._features.load_state(state.arrays["features"])
        self._said.semantic.load_state(state.arrays["said"])
        if "rating" in state.arrays:
            self._rating = Rating(RatingConfig(features=())).load_state(state.arrays["rating"])
        order, (slope, intercept) = str(saved["order"]), saved["curve"]
        own = state.arrays.get("ranker", {})
        ranker = None if order == "fused" else new_ranker(order, self._settings(order)).load_state(own)
        self._choice = Choice(
            order, Weights.from_builtins(saved["weights"]), ranker, (float(slope), float(intercept)), {}
        )
        self._report = msgspec.convert(saved["report"], PipelineReport)
        return self


def _milliseconds(member: Any, data: Dataset) -> float:
    people = np.unique(data.interactions.user_rows)[:20]
    if not len(people):
        return 0.0
    questions = [data.query(people[at : at + 1]) for at in range(len(people))]
    took = []
    for question in questions:
        start = time.perf_counter()
        member.retrieve(question, 100)
        took.append(time.perf_counter() - start)
    return float(np.median(took) * 1000)
