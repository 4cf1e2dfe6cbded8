"""The verbs that learn from the engine's own log: update, renew, swap, rollback."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from inkling.core.arrays import F64
from inkling.core.dataset import Dataset
from inkling.core.errors import RequestError
from inkling.core.jagged import Jagged
from inkling.core.run import Run
from inkling.engine.bundle import Bundle, new_id
from inkling.engine.fitting import Fitting, new_pipeline
from inkling.engine.growing import Grown, grown
from inkling.engine.pipeline import Pipeline, PipelineState, Refittable, Trace
from inkling.engine.windows import Window, newest_window
from inkling.feedback.gate import MIN_PEOPLE, Verdict, compare
from inkling.metrics.base import judge
from inkling.metrics.ndcg import ndcg
from inkling.stores.base import Changes

_K = 10
_BLOCK = 64
_NEWEST = 0.3  # share of what the log brought that a new model is judged by


class Renewing(Fitting):
    """Learns from what was observed, and answers with it only where that is no worse."""

    _before: Bundle | None = None

    def update(self) -> Bundle:
        """Fold what the log brought into a bundle, without a fit: histories, counters, whatever moves with events.

        Who opens it on the same log goes on as if nothing had been interrupted, and need not replay what it holds.

        Raises:
            RequestError: Nothing was fitted yet.
        """
        serving, bundle = self._serving, self._fitted()
        with serving.commits.still() as version:
            state = _copied(serving.pipeline.save())
        data = grown(bundle, self._log, serving.views, serving.scenario, until=version).data
        made = replace(bundle, id=new_id(), state=state, base=data, state_version=version, path=None)
        self._commits.commit(made.noted())
        return made

    def renew(
        self, *, run: Run | None = None, full: bool = False, minutes: float = 0.0, min_people: int = MIN_PEOPLE
    ) -> tuple[Bundle | None, Verdict]:
        """Learn from the bundle's data and the log; return the new bundle, or None where it would be worse.

        The newest events judge: both the model that answers, which observed all before them, and a new one that
        learned from all before them are asked for them. The new bundle then learns from those, too. Nothing is swapped.

        Args:
            run: Seed, threads, progress.
            full: Choose members, weights and order anew; else only learn anew in the order that was chosen.
            minutes: Limit of time of a full fit; 0 is none.
            min_people: People needed among the newest events.

        Raises:
            RequestError: Nothing was fitted yet.
        """
        run = run or Run()
        found = grown(self._fitted(), self._log, self.views, self.scenario)
        verdict = self._judged(found, run, full=full, minutes=minutes, min_people=min_people)
        if not verdict.accepted:
            return None, verdict
        pipeline = self._learned(found.data, run, full=full, minutes=minutes)
        made = Bundle.of(pipeline, found.data, self.scenario, reflects=found.version)
        made = replace(made, quality={**made.quality, "newest": verdict.after, "newest_before": verdict.before})
        self._commits.commit(made.noted())
        return made, verdict

    def _fitted(self) -> Bundle:
        if self.bundle is None:
            raise RequestError("There is nothing to go on from: this engine was not fitted.", hint="Call fit first.")
        return self.bundle

    def _judged(self, found: Grown, run: Run, *, full: bool, minutes: float, min_people: int) -> Verdict:
        window = newest_window(found.data, run, since=found.since_ms, share=_NEWEST)
        if window is None:
            return Verdict(accepted=False, why=f"{found.n_new} new events hold nothing to judge by")
        if len(window.user_rows) < min_people:
            return compare(np.zeros(len(window.user_rows)), np.zeros(len(window.user_rows)), min_people=min_people)
        fresh = self._learned(window.train, run, full=full, minutes=minutes)
        return compare(
            _quality(self._as_it_was(window.train, found.since_ms), window),
            _quality(self._attached(fresh), window),
            min_people=min_people,
        )

    def _learned(self, data: Dataset, run: Run, *, full: bool, minutes: float) -> Pipeline:
        bundle = self._fitted()
        made = bundle.pipeline()
        if not full and isinstance(made, Refittable):
            return made.refit(data, run)
        config: Mapping[str, Any] = dict(bundle.state.settings["config"])
        return new_pipeline(self.scenario, config).fit(data, run, minutes=minutes)

    def _as_it_was(self, train: Dataset, since_ms: int) -> Pipeline:
        """Return the model that answers as it is after the events of ``train``: it observed what it did not learn."""
        bundle = self._fitted()
        made = self._attached(bundle.pipeline())
        n_known = bundle.base.n_items
        rows = np.arange(n_known, train.n_items, dtype=np.int32)
        if len(rows):
            made.put_items(rows, [self.views.catalog.get(row) or {} for row in rows.tolist()])
        events = train.interactions
        made.observe(events.select(events.ts > since_ms))
        return made

    def _attached(self, pipeline: Pipeline) -> Pipeline:
        pipeline.attach(self.views.catalog.mask)
        return pipeline

    # -- what answers ---------------------------------------------------------------------------------------------

    def swap(self, bundle: str | Path | Bundle) -> str:
        """Answer with another bundle from now on, without a dropped request; return the id of the one before.

        Experiments go on; what the log holds is applied to it. ``rollback`` takes it back.

        Raises:
            BundleError: It is missing or damaged; nothing was changed.
        """
        with self._lock:
            before = self.bundle
            opened = bundle if isinstance(bundle, Bundle) else self._read_bundle(str(bundle))
            self._start(opened, opened.scenario)
            self._before = before
            row = {"swapped": opened.id, "from": before.id if before else ""}
        self._commits.commit(Changes("bundle", (row,)))
        return row["from"]

    def rollback(self) -> str:
        """Answer with the bundle before the last swap again; return its id.

        Raises:
            RequestError: There was none.
        """
        if self._before is None:
            raise RequestError("There is no bundle to go back to.", hint="A swap must have come before.")
        self.swap(self._before)
        return self.bundle_name


def _quality(pipeline: Pipeline, window: Window) -> F64:
    """Return each person's NDCG@10 (P,) of what they took in a window."""
    found = []
    for begin in range(0, len(window.user_rows), _BLOCK):
        people = np.arange(begin, min(begin + _BLOCK, len(window.user_rows)))
        answer = pipeline.recommend(window.train.query(window.user_rows[people]), _K, Trace())
        shown = np.full((len(people), _K), -1, dtype=np.int32)
        for place, (first, last) in enumerate(pairwise(answer.offsets.tolist())):
            shown[place, : last - first] = answer.item_rows[first:last][:_K]
        found.append(ndcg(judge(shown, Jagged.from_lists([window.targets[person] for person in people.tolist()])), _K))
    return np.concatenate(found)


def _copied(state: PipelineState) -> PipelineState:
    """Return a state that does not move any more with what is observed."""
    arrays = {name: {key: np.array(array) for key, array in own.items()} for name, own in state.arrays.items()}
    return replace(state, arrays=arrays)
