"""The default: several retrievers, one order, chosen by validation windows inside the training data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import msgspec
import numpy as np

from inkling.core.arrays import Array
from inkling.core.config import to_dict
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.space import Real, Space, Whole
from inkling.engine import choose, ratings
from inkling.engine.carry import better, carried_choice, member_states
from inkling.engine.members import carried, is_slow, within
from inkling.engine.order import Choice, Orders, new_ranker, shares
from inkling.engine.past import Past, go_on
from inkling.engine.pipeline import MemberReport, PipelineReport, PipelineState, Start
from inkling.engine.pipelines._default_answers import DefaultAnswers
from inkling.engine.pipelines._default_settings import DefaultConfig
from inkling.engine.recall import OPINION, MemberConfig, Recall
from inkling.engine.rereading import Rereader
from inkling.engine.sentences import Sentences
from inkling.engine.shown import Shown
from inkling.engine.teaching import Learned, Teaching
from inkling.engine.weights import Weights
from inkling.engine.windows import windows
from inkling.ranking.rating import Rating, RatingConfig

_SMALL = 50_000  # positive events below which more windows are looked at: each holds few people
_ORDERS = ("fused", "linear", "gbdt")


class Default(DefaultAnswers):
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
        super().__init__(config, scenario)
        self._start: Start | None = None
        self._left_out: tuple[str, ...] = ()
        self._unrated = ""
        self._report = PipelineReport()

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
        reading = self._reading_seconds(limit)
        limit -= reading
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
        read = self._reread(data, judged, orders, run, seconds=reading)
        self._recall = self._whole(able.members, seconds=0.4 * deep)
        if self._start is not None:
            go_on(self._recall, member_states(self._start), self._start.item_ids)
        seconds = self._learn(data, run)
        left_out = {**able.left_out, **past.left_out, **self._recall.left_out, **read.left_out}
        unneeded = (f"{name}: adds nothing on validation" for name in past.dropped)
        reasons = (*unneeded, *(f"{name}: {why}" for name, why in left_out.items()), self._unrated)
        self._left_out = tuple(reason for reason in reasons if reason)
        self._tell(judged, seconds, data, time.perf_counter() - start)
        self._report = msgspec.structs.replace(self._report, reading=dict(read.reading))
        return self

    def _reading_seconds(self, limit: float) -> float:
        """Return what a language model has of a fit's time; nothing where none is named."""
        rank = self.config.rank
        return min(60 * rank.minutes, 0.3 * limit) if rank.teacher or rank.cross else 0.0

    def _reread(
        self, data: Dataset, judged: Sequence[choose.Judged], orders: Orders, run: Run, *, seconds: float
    ) -> Learned:
        """Let a language model teach the order, or read its first candidates again, where one is named."""
        self._rereader = None
        if not (self.config.rank.teacher or self.config.rank.cross):
            return Learned(self._choice)
        found = Teaching(self.config.rank, data, self.config.gbdt, run, seconds).learn(self._choice, judged, orders)
        self._choice, self._rereader = found.choice, found.rereader
        return found

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
        self._sentences, self._unspoken = None, partial(self._spoken_for, data, run)
        self._rating, self._unrated = ratings.fitted(data, run) if self.scenario.score == "rating" else (None, "")
        run.progress("learning from everything", 1, 1)
        return seconds

    def _spoken_for(self, data: Dataset, run: Run) -> Sentences | None:
        """Return what is learned from sentences about people; None where there are too few."""
        if not self.config.sentences:
            return None
        try:
            return Sentences.fit(data, self._reader.ask, run, n_people=self.config.sentences)
        except DataError as error:
            run.log.info("Nothing is learned from sentences: %s", error)
            return None

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
        if self._rereader is not None:
            arrays["cross"] = self._rereader.state()
        if (sentences := self._spoken()) is not None:
            arrays["sentences"] = sentences.state()
        settings = {
            "config": to_dict(self.config),
            "weights": self._choice.weights.to_builtins(),
            "order": self._choice.order,
            "curve": list(self._choice.curve),
            "report": msgspec.to_builtins(self._report),
        }
        if self._rereader is not None:
            settings["cross"] = self._rereader.about()
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
        if "cross" in state.arrays:
            self._rereader = Rereader.load(saved["cross"], state.arrays["cross"], self.config.rank)
        if "sentences" in state.arrays:
            self._sentences = Sentences.load(state.arrays["sentences"])
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
