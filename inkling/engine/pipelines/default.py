"""The default: several retrievers, one order, chosen by validation windows inside the training data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config, parse, to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import DataError
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import TEXT_COLUMNS, item_text
from inkling.engine import choose
from inkling.engine.grounds import explanation
from inkling.engine.pipeline import Explanation, MemberReport, PipelineReport, PipelineState, Trace
from inkling.engine.recall import MemberConfig, Recall, labels_of
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.engine.windows import Window, windows
from inkling.features.table import GROUPS, FeatureTable
from inkling.kernels.jagged import reciprocal_ranks
from inkling.ranking import RANKERS
from inkling.ranking.base import Ranker, RankingSet
from inkling.retrieval.base import ItemUpdatable, Similar, Updatable

MEMBERS: dict[str, MemberConfig] = {
    "popular": MemberConfig(retriever="popular", settings={"half_life_days": 7.0}),
    "trending": MemberConfig(retriever="popular", settings={"half_life_days": 2.0}, k=50),
    "repeat": MemberConfig(retriever="repeat"),
    "markov": MemberConfig(retriever="markov"),
    "itemknn": MemberConfig(retriever="itemknn"),
    "ease": MemberConfig(retriever="ease"),
    "semantic": MemberConfig(retriever="semantic", k=50),
}
_ORDERS = ("fused", "linear", "gbdt")


class DefaultConfig(Config, frozen=True, kw_only=True):
    """Settings of the default pipeline."""

    members: dict[str, MemberConfig] = msgspec.field(default_factory=lambda: dict(MEMBERS))
    """Retrievers by the name that reports and reasons use."""
    n_candidates: int = 200
    """How many candidates of a person are ranked."""
    order: Literal["auto", "fused", "linear", "gbdt"] = "auto"
    """What orders the candidates; auto takes the best on validation."""
    n_windows: int = 4
    """How many windows of the past teach the order."""
    features: tuple[str, ...] = tuple(GROUPS)
    """Groups of features that a ranker reads."""
    linear: dict[str, Any] = {}
    """Settings of the linear ranker."""
    gbdt: dict[str, Any] = {}
    """Settings of the boosted trees."""
    encoder: str = "auto"
    """What reads texts."""
    diversity: float = 0.0
    """Share of variety in the first k (maximal marginal relevance); 0 leaves the order alone."""


class Default:
    """Recall by all members, features, an order that validation chose, the scenario's policies."""

    name = "default"
    Config = DefaultConfig

    def __init__(self, config: DefaultConfig | None = None, scenario: Scenario | None = None) -> None:
        """Take settings and what the business wants."""
        self.config = config or DefaultConfig()
        self.scenario = scenario or Scenario()
        self._reader = TextReader(self.config.encoder)
        self._recall = Recall.of(self.config.members, encoder=self._reader)
        self._features = FeatureTable(self.config.features)
        self._weights: dict[str, float] = {}
        self._order = "fused"
        self._ranker: Ranker | None = None
        self._curve = (1.0, 0.0)
        self._report = PipelineReport()
        self._shown = Shown(self.scenario, diversity=self.config.diversity)

    # -- learning -------------------------------------------------------------------------------------------------

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
        self.scenario = data.scenario
        self._shown = Shown(self.scenario, diversity=self.config.diversity)
        deadline = start + minutes * 60 if minutes > 0 else float("inf")
        past = self._past(windows(data, self.config.n_windows, run), run, deadline)
        self._choose(past, run)
        run.progress("learning from everything", 0, 1)
        seconds = self._recall.fit(data, run)
        self._features.fit(data)
        run.progress("learning from everything", 1, 1)
        self._tell(past, seconds, data, time.perf_counter() - start)
        return self

    def _past(self, found: Sequence[Window], run: Run, deadline: float) -> list[choose.Judged]:
        """Return each window's labelled candidates, by members and features that knew nothing of the window."""
        past: list[choose.Judged] = []
        for window in run.track(found, "learning from the past", total=len(found)):
            if past and time.perf_counter() > deadline:
                break
            past.append(self._judge(window, run))
        return past

    def _judge(self, window: Window, run: Run) -> choose.Judged:
        recall = Recall.of(self.config.members, encoder=self._reader)
        recall.fit(window.train, run)
        features = FeatureTable(self.config.features).fit(window.train)
        query = self._limited(window.train.query(window.user_rows))
        even = dict.fromkeys(recall.members, 1.0)
        items = _ranked_fields(features.compute(query, recall.candidates(query, even, limit=self.config.n_candidates)))
        targets = (window.targets.offsets, window.targets.values)
        labels = labels_of(items, targets, query.n_items)
        return choose.judged(RankingSet(query, items, labels), window.targets)

    def _choose(self, past: list[choose.Judged], run: Run) -> None:
        """Choose weights and the order: what is best on windows that it did not learn from."""
        names = list(self.config.members)
        if not past:
            self._weights, self._order, self._validation = dict.fromkeys(names, 1.0), "fused", {}
            return
        run.progress("choosing", 0, 1)
        self._weights = choose.fusion_weights(past, names)
        wanted = _ORDERS if self.config.order == "auto" else (self.config.order,)
        self._validation = {order: self._out_of_window(order, past, run) for order in wanted}
        self._order = max(wanted, key=lambda order: self._validation[order])
        if self._order != "fused":
            self._ranker = self._new_ranker(self._order).fit(choose.pooled(past), run)
        scores = np.concatenate([self._scores(window.data.query, window.items) for window in past])
        self._curve = choose.calibrate(scores, np.concatenate([window.data.labels for window in past]))
        run.progress("choosing", 1, 1)

    def _out_of_window(self, order: str, past: list[choose.Judged], run: Run) -> float:
        """Return NDCG@10 over windows, each ordered by what the others taught."""
        if len(past) == 1:
            return self._in_two_halves(order, past[0], run)
        scores = []
        for held, window in enumerate(past):
            others = [one for at, one in enumerate(past) if at != held]
            scores.append(self._taught(order, others, window, run))
        return choose.mean_ndcg(past, scores)

    def _in_two_halves(self, order: str, window: choose.Judged, run: Run) -> float:
        """With one window only, its people are halved: each half is ordered by what the other taught."""
        people = np.arange(len(window.items))
        halves = [choose.part(window, people[people % 2 == half]) for half in (0, 1)]
        scores = [self._taught(order, [halves[1 - at]], half, run) for at, half in enumerate(halves)]
        return choose.mean_ndcg(halves, scores)

    def _taught(self, order: str, others: list[choose.Judged], window: choose.Judged, run: Run) -> F32:
        if order == "fused":
            return choose.fused(window.items, choose.fusion_weights(others, list(self.config.members)))
        ranker = self._new_ranker(order).fit(choose.pooled(others), run)
        return _flat_scores(ranker, window.data.query, window.items)

    def _new_ranker(self, order: str) -> Ranker:
        kind = RANKERS.get(order)
        settings = self.config.gbdt if order == "gbdt" else self.config.linear
        made: Ranker = kind(parse(kind.Config, settings, where=order))
        return made

    def _tell(self, past: list[choose.Judged], seconds: Mapping[str, float], data: Dataset, fit_s: float) -> None:
        whole = choose.mean_fused(past, self._weights)
        members = []
        for name, member in self._recall.members.items():
            alone = choose.mean_fused(past, {name: 1.0})
            rest = {other: weight for other, weight in self._weights.items() if other != name}
            members.append(
                MemberReport(
                    name,
                    self._weights.get(name, 0.0),
                    alone,
                    choose.mean_fused(past, rest),
                    _milliseconds(member, data),
                    to_dict(member.config),
                    f"fitted in {seconds[name]:.1f} s",
                )
            )
        gains = getattr(self._ranker, "importance", None)
        self._report = PipelineReport(
            {"fused_in_sample": whole, **self._validation},
            self._order,
            tuple(members),
            dict(gains()) if gains else {},
            fit_s,
            tuple(f"{name}: {why}" for name, why in self._recall.left_out.items()),
        )

    # -- answering ------------------------------------------------------------------------------------------------

    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None:
        """Take what resolves the filters of the scenario's rules."""
        self._shown = Shown(self.scenario, diversity=self.config.diversity, mask_of=mask_of)

    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]:
        """Return the texts' vectors by the encoder's name."""
        return {self.config.encoder: self._reader.encode(texts)}

    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates:
        """Return each person's first k."""
        with trace.stage("recall"):
            limited = self._limited(query)
            items = self._recall.candidates(limited, self._weights, limit=max(self.config.n_candidates, k))
        with trace.stage("features"):
            if self._order != "fused":
                items = _ranked_fields(self._features.compute(limited, items))
        with trace.stage("rank"):
            items = items.with_scores(self._probability(self._scores(limited, items)))
        with trace.stage("policy"):
            return self._shown.apply(limited, items, k)

    def _limited(self, query: Query) -> Query:
        """Take out what the person had, where the scenario does not show things again."""
        if self.scenario.seen == "keep":
            return query
        had = Jagged(query.history.offsets, query.history.item_rows)
        if query.exclude is not None:
            had = Jagged.from_lists([np.concatenate([had[i], query.exclude[i]]) for i in range(len(query))])
        return replace(query, exclude=had)

    def _scores(self, query: Query, items: Candidates) -> F32:
        if self._order == "fused" or self._ranker is None:
            return choose.fused(items, self._weights)
        return _flat_scores(self._ranker, query, items)

    def _probability(self, scores: F32) -> F32:
        slope, intercept = self._curve
        return (1 / (1 + np.exp(-(slope * scores + intercept)))).astype(np.float32)

    def score(self, query: Query, items: Jagged) -> F32:
        """Return the probability (N,) that a person takes an item, in the order of ``items``."""
        asked = replace(query, candidates=items, exclude=None, allowed=None)
        found = self._recall.candidates(asked, self._weights, limit=max(len(items.values), 1))
        found = _ranked_fields(self._features.compute(asked, found))
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
                            votes[other] = votes.get(other, 0.0) + (self._weights.get(name, 0.0) + 0.25) / (rank + 10)
            lists.append(sorted(votes.items(), key=lambda vote: -vote[1])[:k])
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        flat = [vote for one in lists for vote in one]
        rows = np.array([row for row, _ in flat], dtype=np.int32)
        return Candidates.of(offsets, rows, np.array([v for _, v in flat], dtype=np.float32), source="similar")

    def explain(self, query: Query, item_row: int) -> Explanation:
        """Return what an item's score rests on, for the one person of ``query``."""
        asked = replace(query, candidates=Jagged.from_lists([[item_row]]), exclude=None, allowed=None)
        items = self._recall.candidates(asked, self._weights, limit=1)
        items = _ranked_fields(self._features.compute(asked, items))
        return explanation(self._recall.members, self._weights, self._ranker, asked, items)

    # -- keeping up -----------------------------------------------------------------------------------------------

    def observe(self, events: Interactions) -> None:
        """Move counters on."""
        for member in self._recall.members.values():
            if isinstance(member, Updatable):
                member.update(events)
        self._features.update(events)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Read new or changed items."""
        readers = [member for member in self._recall.members.values() if isinstance(member, ItemUpdatable)]
        texts = [item_text([item.get(column) for column in TEXT_COLUMNS]) for item in items]
        if readers and any(texts):
            vectors = self._reader.encode(texts)
            for member in readers:
                member.put_items(item_rows, vectors)

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
        if self._ranker is not None:
            arrays["ranker"] = self._ranker.state()
        settings = {
            "config": to_dict(self.config),
            "weights": self._weights,
            "order": self._order,
            "curve": list(self._curve),
            "report": msgspec.to_builtins(self._report),
        }
        return PipelineState(settings, arrays)

    def load(self, state: PipelineState) -> Self:
        """Take back what ``save`` returned; the settings are those that this pipeline was made with."""
        saved = state.settings
        self._recall.members = {
            name: member.load_state(state.arrays[f"member.{name}"])
            for name, member in self._recall.members.items()
            if f"member.{name}" in state.arrays
        }
        self._features.load_state(state.arrays["features"])
        self._weights, self._order = dict(saved["weights"]), str(saved["order"])
        slope, intercept = saved["curve"]
        self._curve = (float(slope), float(intercept))
        self._report = msgspec.convert(saved["report"], PipelineReport)
        if self._order != "fused":
            self._ranker = self._new_ranker(self._order).load_state(state.arrays["ranker"])
        return self


def _flat_scores(ranker: Ranker, query: Query, items: Candidates) -> F32:
    """Return scores (N,) in the order of ``items``: a ranker returns them sorted, so positions travel along."""
    places = np.arange(len(items.item_rows))
    ranked = ranker.score(query, items.with_fields({"_place": places}))
    scores = np.empty(len(places), dtype=np.float32)
    scores[ranked.fields["_place"]] = ranked.scores
    return scores


def _ranked_fields(items: Candidates) -> Candidates:
    """Add each opinion's reciprocal rank among the person's candidates: scores shift from fit to fit, ranks do not."""
    opinions = [name for name in items.fields if name.startswith("says_")]
    ranks = {f"rank_{name[5:]}": reciprocal_ranks(items.offsets, items.fields[name]) for name in opinions}
    return items.with_fields(ranks)


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
