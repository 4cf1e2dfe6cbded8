"""One model being served, with all that belongs to it: replaced as a whole, so that nobody ever sees half of a swap."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import takewhile

from inkling.core.scenario import Scenario
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName, LiveClock
from inkling.engine.commit import Committer
from inkling.engine.live import LiveViews
from inkling.engine.pipeline import PIPELINES, Pipeline
from inkling.stores.base import ChangeLog, Changes


@dataclass(frozen=True, slots=True)
class Serving:
    """Views of the log, the pipeline that reads them, and what moves both on."""

    bundle: Bundle | None
    scenario: Scenario
    views: LiveViews
    pipeline: Pipeline
    clock: LiveClock
    commits: Committer

    @classmethod
    def of(cls, log: ChangeLog, bundle: Bundle | None, scenario: Scenario, clock: ClockName) -> Serving:
        """Build views and pipeline anew from a bundle, or from nothing, and the log."""
        scenario = bundle.scenario if bundle else scenario
        views = LiveViews(scenario)
        if bundle:
            views.load(bundle.base)
        pipeline: Pipeline = bundle.pipeline() if bundle else PIPELINES.get("semantic_basic")(scenario=scenario)
        pipeline.attach(views.catalog.mask)
        commits = Committer(log, partial(_apply, views, pipeline))
        if bundle and (reflected := bundle.reflects(log)):
            for block in takewhile(lambda block: block.version <= reflected, log.scan()):
                views.remember(block)
            commits.version = reflected
        commits.replay()
        return cls(bundle, scenario, views, pipeline, LiveClock(clock, scenario.time), commits)

    @property
    def bundle_name(self) -> str:
        """Return the bundle's id, or an empty string before the first fit."""
        return self.bundle.id if self.bundle else ""

    def now_ms(self) -> int:
        """Return the moment of asking."""
        return self.clock.now_ms(self.views.newest_ts)


def _apply(views: LiveViews, pipeline: Pipeline, changes: Changes) -> None:
    events = views.apply(changes)
    if events is not None:
        pipeline.observe(events)
    if changes.kind in ("items", "patch_items"):
        rows = views.item_ids.rows(row["item_id"] for row in changes.rows)
        pipeline.put_items(rows, [views.catalog.get(row) or {} for row in rows.tolist()])
