"""The verbs that answer: recommend, similar, score, explain."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any, overload

import msgspec
import numpy as np

from inkling.core.jagged import Jagged
from inkling.core.recommendation import Recommendation, RecommendedItem
from inkling.engine import asking, following, paging, speaking
from inkling.engine.answers import Chain, Given
from inkling.engine.base import Ask
from inkling.engine.impressions import ImpressionLog
from inkling.engine.looking import item_row
from inkling.engine.pipeline import Trace
from inkling.engine.questions import question_of
from inkling.engine.serving import Serving
from inkling.engine.trying import Trying
from inkling.experiments.assign import NOBODY, Treatment, logged
from inkling.privacy.consent import may


class Answering(Trying):
    """Answers, and hands each answer over to the log."""

    _log_impressions: bool
    _impressions: ImpressionLog

    @overload
    def recommend(self, user_id: str | None = None, **ask: Any) -> Recommendation: ...
    @overload
    def recommend(self, user_id: Sequence[str], **ask: Any) -> list[Recommendation]: ...
    def recommend(
        self, user_id: str | Sequence[str] | None = None, **ask: Any
    ) -> Recommendation | list[Recommendation]:
        """Return a list for one person, or for each of many.

        Args:
            user_id: One id, many ids, or None with ``text`` or ``history``.
            ask: Further fields of ``Ask``: k, text, history, candidates, exclude, filter, context, explain, ...

        Raises:
            RequestError: A field is unknown or its value cannot be answered.
            VersionError: ``min_version`` was never issued.
        """
        if user_id is None or isinstance(user_id, str):
            return self._paged([question_of(user_id, ask)])[0]
        return self._paged([question_of(one, ask) for one in user_id]) if len(user_id) else []

    def ask(self, question: Ask) -> Recommendation:
        """Return the answer to one whole question."""
        return self._paged([question])[0]

    def _paged(self, questions: list[Ask]) -> list[Recommendation]:
        """Answer each question's page, and say where the next one begins."""
        pages = [paging.opened(question) for question in questions]
        answers = self._answer([page.question for page in pages])
        return [
            msgspec.structs.replace(answer, cursor=page.cursor(asked, answer.items, answer.version))
            for asked, page, answer in zip(questions, pages, answers, strict=True)
        ]

    def _answer(self, questions: list[Ask]) -> list[Recommendation]:
        for question in questions:
            asking.check(question)
        if (newest := max([question.min_version or 0 for question in questions])) > 0:
            self._commits.reach(newest)
        if not self.views.plan.experiments:
            return self._answered(questions, self._serving, NOBODY)
        answers: dict[int, Recommendation] = {}
        for dealt in self._dealt(self._inside(questions)):
            asked = [questions[place] for place in dealt.places]
            answers.update(zip(dealt.places, self._answered(asked, dealt.serving, dealt.treatment), strict=True))
        return [answers[place] for place in range(len(questions))]

    def _answered(self, questions: list[Ask], serving: Serving, treatment: Treatment) -> list[Recommendation]:
        """Answer by one serving throughout, whatever is swapped meanwhile."""
        limit_ms = min((ask.budget_ms for ask in questions if ask.budget_ms is not None), default=None)
        trace = Trace(limit_ms, serving.costs)
        trace.budget.begin(len(questions))
        if (newest := max(question.min_version or 0 for question in questions)) > 0:
            serving.commits.reach(newest)
        version = serving.commits.version
        now_ms = serving.now_ms()
        k = max(question.k for question in questions)
        with trace.stage("state"):
            inside = self._inside(questions)
            pairs = zip(questions, inside, strict=True)
            questions = [speaking.spoken(asked, known, serving.views) for asked, known in pairs]
            inside = self._inside(questions)
            talk = following.talk_of(inside, serving.views, now_ms=now_ms)
            asked = [talk.question] if talk else inside
            if not talk and any([ask.text for ask in asked]) and not trace.budget.fits("text", "state"):
                asked = inside = [_unread(ask) for ask in asked]
            with trace.budget.part("text", "state") if any([ask.text for ask in asked]) else nullcontext():
                query = serving.query_of(asked, now_ms=now_ms)
            query = talk.applied(query, serving.views, serving.pipeline) if talk else query
        found = serving.pipeline.recommend(query, k, trace)
        with trace.stage("answer"):
            explained = any([ask.explain for ask in questions])
            if explained and not trace.budget.fits("reasons", "answer"):
                explained, questions = False, [msgspec.structs.replace(ask, explain=False) for ask in questions]
            with trace.budget.part("reasons", "answer") if explained else nullcontext():
                lines = asking.lines_of(questions, query, found, serving.views, serving.pipeline)
            told = talk.told(lines[0], serving.views) if talk else following.NOTHING_TOLD
            lines = [told.lines] if talk else lines
        trace.budget.settle(trace.timings_ms)
        share = 1 / len(questions)
        timings = {stage: round(ms * share, 4) for stage, ms in trace.timings_ms.items()}
        answers = [
            Recommendation(
                id=asking.new_id(),
                items=line[: question.k],
                version=version,
                bundle=serving.bundle_name,
                arm=treatment.arm,
                timings_ms=timings,
                left_out=(*told.left_out, *trace.left_out),
                understood=told.understood,
            )
            for question, line in zip(questions, lines, strict=True)
        ]
        for question, answer in zip([talk.question] if talk else inside, answers, strict=True):
            self._note(question, answer, talk.chain if talk else following.first_chain(question), now_ms, treatment)
        return [self._in_better_words(question, answer) for question, answer in zip(questions, answers, strict=True)]

    def _note(
        self, question: Ask, answer: Recommendation, chain: Chain, now_ms: int, treatment: Treatment = NOBODY
    ) -> None:
        """Keep an answer for whoever follows it up, and hand it over to the log; ids are those known inside."""
        names = {"user_id": question.user_id, "session_id": question.session_id}
        who = {key: value for key, value in names.items() if value}
        self.views.answers.put(answer.id, Given(tuple(answer.item_ids), who, chain))
        if self._log_impressions:
            kept = following.said(chain) if may(who, "store", self.views.consent) else {}
            asked = self._door.asked(kept)
            self._impressions.add(answer, who=who, asked=asked, now_ms=now_ms, dealt=logged(treatment))

    def costs(self) -> dict[str, float]:
        """Return how many milliseconds each part of an answer is expected to take for one person; see ``budget``."""
        return self._serving.costs.told()

    def similar(self, item_id: str, *, k: int = 10) -> Recommendation:
        """Return the items most like one.

        Raises:
            NotFoundError: There is no such item.
            RequestError: k is out of range.
        """
        asking.check(Ask(history=(), k=k))
        serving, trace = self._serving, Trace()
        row = item_row(serving.views, item_id)
        with trace.stage("similar"):
            found = serving.pipeline.similar(
                np.array([row], dtype=np.int32), k, allowed=serving.views.available(serving.now_ms())
            )
        items = tuple(
            RecommendedItem(serving.views.item_ids.id_of(other), round(score, 6), found.source_of(position))
            for position, (other, score) in enumerate(zip(found.item_rows.tolist(), found.scores.tolist(), strict=True))
        )
        return Recommendation(
            asking.new_id(), items, serving.commits.version, serving.bundle_name, "", trace.timings_ms
        )

    def score(self, user_id: str, item_ids: Sequence[str]) -> list[float]:
        """Return, for each item, the probability of the target event (or the rating, as the scenario says).

        Raises:
            NotFoundError: An item is unknown.
        """
        serving = self._serving
        rows = [item_row(serving.views, item_id) for item_id in item_ids]
        asked = self._inside([Ask(user_id=user_id)])
        query = serving.query_of(asked, now_ms=serving.now_ms())
        scores: list[float] = serving.pipeline.score(query, Jagged.from_lists([rows])).tolist()
        return [round(score, 6) for score in scores]

    def explain(self, user_id: str, item_id: str) -> dict[str, Any]:
        """Return why an item stands where it stands for a person: grounds, contributions, every feature.

        Raises:
            NotFoundError: The item is unknown.
        """
        serving = self._serving
        row = item_row(serving.views, item_id)
        asked = self._inside([Ask(user_id=user_id)])
        query = serving.query_of(asked, now_ms=serving.now_ms())
        found = serving.pipeline.explain(query, np.array([row], dtype=np.int32))[0]
        return {
            "user_id": user_id,
            "item_id": item_id,
            "kind": found.kind,
            "because": [
                {
                    "kind": g.kind,
                    "item_id": serving.views.item_ids.id_of(g.item_row) if g.item_row >= 0 else None,
                    "weight": g.weight,
                }
                for g in found.because
            ],
            "contributions": dict(found.contributions),
            "features": dict(found.features),
        }


def _unread(question: Ask) -> Ask:
    """Return a question without its text, for which there is no time; what else is known answers it."""
    nobody = not question.user_id and not question.session_id and question.history is None
    return msgspec.structs.replace(question, text=None, history=() if nobody else question.history)
