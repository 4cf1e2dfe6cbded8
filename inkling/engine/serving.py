"""One model being served, with all that belongs to it: replaced as a whole, so that nobody ever sees half of a swap."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile

from inkling.core.arrays import F32
from inkling.core.query import Query
from inkling.core.scenario import Scenario
from inkling.engine import asking
from inkling.engine.abouts import Abouts
from inkling.engine.base import Ask
from inkling.engine.budget import Costs
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName, LiveClock
from inkling.engine.commit import Committer
from inkling.engine.live import LiveViews
from inkling.engine.newcomers import Newcomers
from inkling.engine.people import forget_people
from inkling.engine.pipeline import PIPELINES, Pipeline, Reads
from inkling.engine.reading import Reading
from inkling.engine.shelves import Shelf
from inkling.stores.base import ChangeLog, Changes
from inkling.stores.freed import give_back


@dataclass(frozen=True, slots=True)
class Serving:
    """Views of the log, the pipeline that reads them, and what moves both on."""

    bundle: Bundle | None
    scenario: Scenario
    views: LiveViews
    pipeline: Pipeline
    clock: LiveClock
    commits: Committer
    keeper: Keeper
    newcomers: Newcomers
    costs: Costs = field(default_factory=Costs)

    @classmethod
    def of(cls, log: ChangeLog, bundle: Bundle | None, scenario: Scenario, clock: ClockName) -> Serving:
        """Build views and pipeline anew from a bundle, or from nothing, and the log."""
        scenario = bundle.scenario if bundle else scenario
        views = LiveViews(scenario)
        if bundle:
            views.load(bundle.base)
        pipeline: Pipeline = bundle.pipeline() if bundle else PIPELINES.get("semantic_basic")(scenario=scenario)
        pipeline.attach(views.catalog.mask)
        keeper = Keeper(views, pipeline)
        commits = Committer(log, keeper.apply)
        if bundle and (reflected := bundle.reflects(log)):
            for block in takewhile(lambda block: block.version <= reflected, log.scan()):
                views.remember(block)
            commits.version = reflected
        keeper.read_people()
        commits.replay()
        give_back()  # of what a bundle was read from, about a tenth of all memory
        return cls(
            bundle,
            scenario,
            views,
            pipeline,
            LiveClock(clock, scenario.time),
            commits,
            keeper,
            Newcomers(bundle, views),
        )

    @property
    def bundle_name(self) -> str:
        """Return the bundle's id, or an empty string before the first fit."""
        return self.bundle.id if self.bundle else ""

    def now_ms(self) -> int:
        """Return the moment of asking."""
        return self.clock.now_ms(self.views.newest_ts)

    def query_of(self, questions: Sequence[Ask], *, now_ms: int) -> Query:
        """Return questions as one query in rows; a person's own sentence speaks where little else is known."""
        query = asking.query_of(questions, self.views, self.pipeline, now_ms=now_ms)
        if len(self.keeper.abouts) and isinstance(self.pipeline, Reads):
            return self.keeper.abouts.joined(query, self.pipeline.encoder)
        return query


class Keeper:
    """Moves views and pipeline on with each block of the log; what is to be read is read later, beside it."""

    def __init__(self, views: LiveViews, pipeline: Pipeline) -> None:
        """Keep ``views`` and ``pipeline`` up to date."""
        self._views, self._pipeline = views, pipeline
        self.abouts = Abouts(views)
        self.items: Reading | None = None
        self.people: Reading | None = None
        if isinstance(pipeline, Reads):
            shelf = Shelf(views, pipeline)
            self.items = Reading(shelf.text_of, pipeline.read, shelf.place, welcome=shelf.welcome, holds=shelf.holds)
            self.people = Reading(self.abouts.text_of, _as_asked(pipeline), self.abouts.place)

    def apply(self, changes: Changes) -> None:
        """Take in a block."""
        if changes.kind == "erase":
            self._forget(changes)
        events = self._views.apply(changes)
        if events is not None:
            self._pipeline.observe(events)
        if changes.kind in ("items", "patch_items"):
            self._put_items(changes)
        elif changes.kind == "delete_items" and self.items is not None:
            # Its vector goes with it, whether it was read before or not: an answer depends on the log alone.
            rows = self._views.item_ids.rows(row["item_id"] for row in changes.rows)
            self.items.put(rows[rows >= 0])
        elif changes.kind in ("users", "patch_users") and self.people is not None:
            rows = self._views.user_ids.rows(row["user_id"] for row in changes.rows)
            self.people.put(self.abouts.wanted(rows.tolist()))

    def _put_items(self, changes: Changes) -> None:
        rows = self._views.item_ids.rows(row["item_id"] for row in changes.rows)
        items = [self._views.catalog.get(row) or {} for row in rows.tolist()]
        if self.items is not None and isinstance(self._pipeline, Reads):
            self._pipeline.list_items(rows, items)
            self.items.put(rows)
        else:
            self._pipeline.put_items(rows, items)

    def _forget(self, changes: Changes) -> None:
        rows = self._views.user_ids.rows(row["user_id"] for row in changes.rows)
        said = [text for row in rows[rows >= 0].tolist() if (text := self.abouts.text_of(row))]
        for row in rows.tolist():
            self.abouts.drop(row)
        forget_people(self._pipeline)
        if said and isinstance(self._pipeline, Reads):
            self._pipeline.forget(said)

    def read_people(self) -> None:
        """Read what people said of themselves before there was a thread to read it."""
        if self.people is not None:
            self.people.put(self.abouts.wanted(range(len(self._views.user_ids))))

    def wait(self, timeout_s: float) -> bool:
        """Wait until all that is written is read; return whether it was so in time."""
        until = time.monotonic() + timeout_s
        readings = [reading for reading in (self.items, self.people) if reading is not None]
        return all([reading.wait(max(until - time.monotonic(), 0.0)) for reading in readings])

    def stop(self, *, timeout_s: float = 10.0) -> None:
        """End the threads that read; what they did not read is found again by whoever replays the log."""
        for reading in (self.items, self.people):
            if reading is not None:
                reading.stop(timeout_s=timeout_s)


def _as_asked(pipeline: Reads) -> Callable[[Sequence[str]], F32]:
    """Return what reads a person's own sentence: as something said, not as an item."""
    return lambda texts: pipeline.encode(texts)[pipeline.encoder]
