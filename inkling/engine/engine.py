"""The engine on this machine: a log, its views, and a pipeline."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any, Self, overload

import msgspec
import numpy as np

from inkling.core.config import parse
from inkling.core.dataset import Dataset
from inkling.core.errors import BundleError, RequestError
from inkling.core.jagged import Jagged
from inkling.core.recommendation import Recommendation, RecommendedItem
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine import asking, following, speaking
from inkling.engine.answers import Chain, Given
from inkling.engine.arrivals import Arrivals
from inkling.engine.base import Accepted, Ask, Receipt, Row
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName
from inkling.engine.commit import Committer
from inkling.engine.impressions import ImpressionLog
from inkling.engine.learning import from_log, prepare
from inkling.engine.looking import item_row
from inkling.engine.pipeline import PIPELINES, Pipeline, Refittable, Start, Startable, Trace
from inkling.engine.profiled import Profiled
from inkling.engine.serving import Serving
from inkling.engine.wire import check_events, check_rows
from inkling.events.folder import Folder
from inkling.privacy.consent import may
from inkling.privacy.door import Privacy, PrivacyDoor
from inkling.stores.address import open_log
from inkling.stores.base import ChangeLog, Changes
from inkling.stores.sqlite import Durability


class LocalEngine(Profiled):
    """Recommends, learns and forgets, in this process. Made by ``inkling.open``."""

    def __init__(
        self,
        log: ChangeLog,
        *,
        bundle: Bundle | None = None,
        scenario: Scenario | None = None,
        door: PrivacyDoor | None = None,
        clock: ClockName = "auto",
        log_impressions: bool = True,
    ) -> None:
        """Take over ``log``; start from ``bundle``, else from nothing, with the pipeline ``semantic_basic``."""
        self._log = log
        self._door = door or PrivacyDoor()
        self._clock_kind: ClockName = clock
        self._lock = threading.RLock()
        self._arrivals = Arrivals()
        self._log_impressions = log_impressions
        self._impressions = ImpressionLog(self._write_impressions)
        self._start(bundle, scenario or Scenario())

    def _start(self, bundle: Bundle | None, scenario: Scenario) -> None:
        """Serve a bundle, or nothing yet, from now on."""
        before: Serving | None = getattr(self, "_serving", None)
        self._serving = Serving.of(self._log, bundle, scenario, self._clock_kind)
        self._commits.replay()  # what was written through the one before, while this one was being built
        if before is not None:
            before.keeper.stop(timeout_s=0.0)

    @property
    def bundle(self) -> Bundle | None:
        """Return the bundle that is served; None before the first fit."""
        return self._serving.bundle

    @property
    def scenario(self) -> Scenario:
        """Return what the business wants."""
        return self._serving.scenario

    @property
    def pipeline(self) -> Pipeline:
        """Return what answers."""
        return self._serving.pipeline

    @property
    def _commits(self) -> Committer:
        return self._serving.commits

    # -- asking ---------------------------------------------------------------------------------------------------

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
            return self._answer([_ask(user_id, ask)])[0]
        return self._answer([_ask(one, ask) for one in user_id]) if len(user_id) else []

    def ask(self, question: Ask) -> Recommendation:
        """Return the answer to one whole question."""
        return self._answer([question])[0]

    def _answer(self, questions: list[Ask]) -> list[Recommendation]:
        for question in questions:
            asking.check(question)
        serving = self._serving  # the same one throughout, whatever is swapped meanwhile
        if (newest := max(question.min_version or 0 for question in questions)) > 0:
            serving.commits.reach(newest)
        trace, version = Trace(), serving.commits.version
        now_ms = serving.now_ms()
        k = max(question.k for question in questions)
        with trace.stage("state"):
            inside = self._inside(questions)
            pairs = zip(questions, inside, strict=True)
            questions = [speaking.spoken(asked, known, serving.views) for asked, known in pairs]
            inside = self._inside(questions)
            talk = following.talk_of(inside, serving.views, now_ms=now_ms)
            query = serving.query_of([talk.question] if talk else inside, now_ms=now_ms)
            query = talk.applied(query, serving.views, serving.pipeline) if talk else query
        found = serving.pipeline.recommend(query, k, trace)
        with trace.stage("answer"):
            lines = asking.lines_of(questions, query, found, serving.views, serving.pipeline)
            told = talk.told(lines[0], serving.views) if talk else following.NOTHING_TOLD
            lines = [told.lines] if talk else lines
        share = 1 / len(questions)
        timings = {stage: round(ms * share, 4) for stage, ms in trace.timings_ms.items()}
        answers = [
            Recommendation(
                id=asking.new_id(),
                items=line[: question.k],
                version=version,
                bundle=serving.bundle_name,
                timings_ms=timings,
                left_out=told.left_out,
                understood=told.understood,
            )
            for question, line in zip(questions, lines, strict=True)
        ]
        for question, answer in zip([talk.question] if talk else inside, answers, strict=True):
            self._note(question, answer, talk.chain if talk else following.first_chain(question), now_ms)
        return [self._in_better_words(question, answer) for question, answer in zip(questions, answers, strict=True)]

    def _inside(self, questions: list[Ask]) -> list[Ask]:
        """Return questions with the ids under which people are known inside."""
        if not self._door.privacy.pseudonyms:
            return questions
        known = self._door.user_id
        return [
            msgspec.structs.replace(
                ask, user_id=ask.user_id and known(ask.user_id), session_id=ask.session_id and known(ask.session_id)
            )
            for ask in questions
        ]

    def _note(self, question: Ask, answer: Recommendation, chain: Chain, now_ms: int) -> None:
        """Keep an answer for whoever follows it up, and hand it over to the log; ids are those known inside."""
        names = {"user_id": question.user_id, "session_id": question.session_id}
        who = {key: value for key, value in names.items() if value}
        self.views.answers.put(answer.id, Given(tuple(answer.item_ids), who, chain))
        if self._log_impressions:
            kept = following.said(chain) if may(who, "store", self.views.consent) else {}
            self._impressions.add(answer, who=who, asked=self._door.asked(kept), now_ms=now_ms)

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

    # -- writing --------------------------------------------------------------------------------------------------

    def observe(self, events: Sequence[Row]) -> int:
        """Take in events; return the version that reflects them.

        Raises:
            RequestError: An event is not of the documented form; nothing of the batch was taken.
        """
        good, bad = check_events(events, now_ms=self.now_ms())
        if bad:
            raise RequestError(f"event {bad[0].index}: {bad[0].reason}", hint=f"{len(bad)} of {len(events)} are bad.")
        return self._take(good)

    def ingest(self, events: Sequence[Row]) -> Accepted:
        """Take in the good events of a batch and tell of each bad one."""
        good, bad = check_events(events, now_ms=self.now_ms())
        return Accepted(self._take(good), len(good), tuple(bad))

    def _take(self, rows: list[dict[str, Any]]) -> int:
        """Store what consent, retention and event ids allow; the rest was taken note of and leaves no trace."""
        kept = [row for row in self._door.rows(rows) if may(row, "store", self.views.consent)]
        ids = [row["event_id"] for row in kept]
        with self._arrivals.claim(ids):
            known = self._log.duplicates(ids)
            fresh = {row["event_id"]: row for row in kept if row["event_id"] not in known}
            return self._commits.commit(Changes("events", tuple(fresh.values())))

    def put_items(self, rows: Sequence[Row]) -> int:
        """Write whole items (``item_id`` and attributes); return the version that reflects them.

        Their texts are read in the background (``read_all`` waits for it); until then they are served by other signals.
        """
        return self._commits.commit(Changes("items", check_rows(rows, "item_id")))

    def put_users(self, rows: Sequence[Row]) -> int:
        """Write what is known of people (``user_id`` and attributes); return the version that reflects it."""
        return self._commits.commit(Changes("users", tuple(self._door.rows(check_rows(rows, "user_id")))))

    def patch_item(self, item_id: str, changes: Row) -> int:
        """Change some attributes of an item; None removes one.

        Raises:
            NotFoundError: There is no such item.
        """
        item_row(self.views, item_id)
        return self._commits.commit(Changes("patch_items", check_rows([{**changes, "item_id": item_id}], "item_id")))

    def patch_user(self, user_id: str, changes: Row) -> int:
        """Change some of what is known of a person; None removes an attribute."""
        rows = self._door.rows(check_rows([{**changes, "user_id": user_id}], "user_id"))
        return self._commits.commit(Changes("patch_users", tuple(rows)))

    def delete_item(self, item_id: str) -> int:
        """Take an item out of every answer.

        Raises:
            NotFoundError: There is no such item.
        """
        item_row(self.views, item_id)
        return self._commits.commit(Changes("delete_items", ({"item_id": item_id},)))

    def merge(self, user_id: str, session_id: str) -> int:
        """Give what an anonymous session did to a person."""
        row = {"user_id": self._door.user_id(user_id), "session_id": self._door.user_id(session_id)}
        return self._commits.commit(Changes("merge", (row,)))

    def erase(self, user_id: str) -> Receipt:
        """Forget a person everywhere: log, state, attributes, bundle on disk. Return how many rows went from where."""
        who = self._door.user_id(user_id)
        self._impressions.flush()
        with self._lock:
            row = self.views.user_ids.row_of(who)
            removed = {
                "state": self.views.state.n_events(row) if row >= 0 else 0,
                "users": int(self.views.people.get(row) is not None) if row >= 0 else 0,
                "bundle": self.bundle.erase(who) if self.bundle else 0,
            }
            version = self._commits.commit(Changes("erase", ({"user_id": who},)))
            # The erasure's own row told the views; it names the person too, so it goes with the rest.
            removed["log"] = self._log.erase_user(who) - 1
            if written := self._forget_profile(who):
                removed["written"] = written
        return Receipt(user_id, version, removed)

    def _write_impressions(self, rows: tuple[dict[str, Any], ...]) -> int:
        return self._commits.commit(Changes("impressions", rows))

    @property
    def version(self) -> int:
        """Return the position in the log that the next answer reflects."""
        return self._commits.version

    @property
    def bundle_name(self) -> str:
        """Return the bundle's id, or an empty string before the first fit."""
        return self._serving.bundle_name

    def now_ms(self) -> int:
        """Return the moment of asking."""
        return self._serving.now_ms()

    # -- learning -------------------------------------------------------------------------------------------------

    def warm(self) -> Self:
        """Open what the first question would otherwise wait for: the encoder that reads texts, the prepared tables."""
        self.pipeline.encode(["warm"])
        query = asking.query_of([Ask(history=())], self.views, self.pipeline, now_ms=self.now_ms())
        self.pipeline.recommend(query, 1, Trace())
        return self

    def fit(
        self,
        data: str | Path | Folder | None = None,
        *,
        scenario: Scenario | None = None,
        settings: Mapping[str, Any] | None = None,
        minutes: float = 0.0,
        run: Run | None = None,
        start: Bundle | None = None,
    ) -> Self:
        """Learn from a data folder, or from the engine's own log, and answer with what was learned from now on.

        Args:
            data: A data folder; None for the engine's own log.
            scenario: What the business wants; the engine's own where it is left out.
            settings: The pipeline's settings, over those of the scenario.
            minutes: Limit of time; 0 is none.
            run: Seed, threads, progress.
            start: What was learned on other data, to begin from; None begins from nothing.

        Raises:
            BundleError: ``start`` holds another pipeline, or this one cannot begin from another.
        """
        wanted = scenario or self.scenario
        until = self._commits.version  # what comes while the fit runs is applied on top of it
        base, wanted = prepare(data, wanted) if data is not None else (self._own_data(wanted, until), wanted)
        pipeline = _pipeline(wanted, settings or {})
        if start is not None:
            pipeline = _started(pipeline, start)
        pipeline.fit(base, run or Run(), minutes=minutes)
        return self._take_over(pipeline, base, wanted, reflects=until if data is None else 0)

    def refit(self, data: str | Path | Folder, pipeline: Refittable, *, run: Run | None = None) -> Self:
        """Bring a fitted pipeline up to date with newer data, in the order that its fit chose, and answer with it.

        Args:
            data: A data folder.
            pipeline: What was fitted on earlier data, such as the part before a cut that it was measured at.
            run: Threads, progress.
        """
        base, wanted = prepare(data, self.scenario)
        return self._take_over(pipeline.refit(base, run or Run()), base, wanted, reflects=0)

    def _take_over(self, pipeline: Pipeline, base: Dataset, scenario: Scenario, *, reflects: int) -> Self:
        made = Bundle.of(pipeline, base, scenario, reflects=reflects)
        if reflects:
            made.note(self._log)
        with self._lock:
            self._start(made, scenario)
        return self

    def _own_data(self, scenario: Scenario, until: int) -> Dataset:
        blocks = takewhile(lambda block: block.version <= until, self._log.scan())
        return from_log(blocks, self.views.catalog.rows(), self.views.people_rows(), scenario)

    def save(self, path: str | Path) -> str:
        """Write the bundle to a folder, whole or not at all; return its id.

        Raises:
            RequestError: Nothing was fitted yet.
            BundleError: The folder holds something else.
        """
        if self.bundle is None:
            raise RequestError("There is nothing to save: this engine was not fitted.", hint="Call fit first.")
        self.bundle.write(Path(path))
        return self.bundle.id

    def load(self, path: str | Path) -> Self:
        """Answer with another bundle from now on; what the log holds is applied to it."""
        with self._lock:
            self._start(Bundle.read(Path(path)), self.scenario)
        return self

    def close(self) -> None:
        """Write what is left of the impressions, stop reading and close the log."""
        self._impressions.close()
        self._serving.keeper.stop()
        if self._writer is not None:
            self._writer.stop()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _ask(user_id: str | None, fields: Mapping[str, Any]) -> Ask:
    if user_id is not None:
        fields = {**fields, "user_id": user_id}
    if isinstance(fields.get("history"), list):
        fields = {**fields, "history": tuple(fields["history"])}
    try:
        return msgspec.convert(fields, Ask)
    except msgspec.ValidationError as error:
        raise RequestError(f"{error}.") from error


def _pipeline(scenario: Scenario, settings: Mapping[str, Any]) -> Pipeline:
    kind = PIPELINES.get(scenario.pipeline)
    merged = {**scenario.settings, **settings}
    pipeline: Pipeline = kind(parse(kind.Config, merged, where=f"{scenario.pipeline} settings"), scenario)
    return pipeline


def _started(pipeline: Pipeline, bundle: Bundle) -> Pipeline:
    if bundle.pipeline_name != pipeline.name or not isinstance(pipeline, Startable):
        raise BundleError(
            f"The pipeline '{pipeline.name}' cannot begin from a bundle of '{bundle.pipeline_name}'.",
            hint="Fit both with the pipeline 'default'.",
        )
    return pipeline.start(Start(bundle.state, tuple(bundle.base.item_ids)))


def open_engine(
    url: str = "memory://",
    bundle: str | Path | None = None,
    *,
    scenario: Scenario | None = None,
    privacy: Privacy | None = None,
    secret: bytes = b"",
    durability: Durability = "fsync",
    clock: ClockName = "auto",
) -> LocalEngine:
    """Open an engine over the store at an address.

    Args:
        url: ``memory://`` or ``file:///a/folder``.
        bundle: A folder that ``save`` or ``inkling fit`` wrote; None starts without a model.
        scenario: What the business wants, where no bundle says it.
        privacy: Pseudonyms, masking, retention at the door.
        secret: Key of the pseudonyms, at least 16 bytes.
        durability: "fsync" or "os".
        clock: What now is: "wall", "data" (the newest event's time goes on), or "auto".

    Raises:
        StoreError: The address cannot be opened.
        BundleError: The bundle is missing or damaged.
    """
    opened = Bundle.read(Path(bundle)) if bundle is not None else None
    door = PrivacyDoor(privacy, secret=secret)
    log = open_log(url, durability=durability)
    return LocalEngine(log, bundle=opened, scenario=scenario, door=door, clock=clock)
