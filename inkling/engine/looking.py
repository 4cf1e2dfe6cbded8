"""What an engine tells of what it knows: items, people, their history, and itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from inkling.core.errors import NotFoundError
from inkling.core.scenario import Scenario
from inkling.engine.base import Onboarded, ReadingStatus
from inkling.engine.bundle import ERASED, Bundle
from inkling.engine.commit import Committer
from inkling.engine.live import LiveViews
from inkling.engine.people import caches_of, told
from inkling.engine.pipeline import Pipeline
from inkling.engine.serving import Serving
from inkling.events.build import ANONYMOUS
from inkling.privacy.door import PrivacyDoor

HIDDEN = (ANONYMOUS, ERASED)
"""How keys of the vocabulary begin that are nobody's id: anonymous sessions, and who was erased."""


class Looking:
    """The verbs that change nothing and ask no model."""

    _serving: Serving
    _door: PrivacyDoor

    @property
    def views(self) -> LiveViews:
        """Return what is known at this moment."""
        return self._serving.views

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

    @property
    def _commits(self) -> Committer:
        return self._serving.commits

    def get_item(self, item_id: str) -> dict[str, Any]:
        """Return an item's attributes.

        Raises:
            NotFoundError: There is no such item.
        """
        return {"item_id": item_id, **(self.views.catalog.get(item_row(self.views, item_id)) or {})}

    def get_user(self, user_id: str) -> dict[str, Any]:
        """Return what is known of a person, and how many events they have.

        Raises:
            NotFoundError: Nothing is known of them.
        """
        views, row = self.views, self._user_row(user_id)
        known = views.people.get(row) or {}
        return {**known, "user_id": user_id, "n_events": views.state.n_events(row)}

    def _user_row(self, user_id: str) -> int:
        row = self.views.user_ids.row_of(self._door.user_id(user_id))
        if row < 0 or not self.views.knows(row):
            raise NotFoundError(f"There is no user '{user_id}'.", hint="Users appear with their first event or PUT.")
        return row

    def onboarding(self, answers: Sequence[int] = (), *, language: str = "en") -> Onboarded:
        """Return what to ask a new person after their ``answers``: few questions, chosen to tell most.

        Args:
            answers: To the questions so far, each an option's position from 0, or -1 for none of them.
            language: Of the question: ``en`` or ``zh``.

        Raises:
            RequestError: Nothing was learned yet, or an answer is none of the options.
        """
        return self._serving.newcomers.next(answers, language=language)

    def find_items(self, text: str = "", *, limit: int = 20) -> list[dict[str, Any]]:
        """Return items whose title or id contains ``text``."""
        return self.views.catalog.find(text, limit=limit)

    def find_users(self, prefix: str = "", *, limit: int = 20) -> list[str]:
        """Return ids of people that start with ``prefix``."""
        views = self.views
        found = (
            user_id
            for row, user_id in enumerate(views.user_ids)
            if user_id.startswith(prefix) and not user_id.startswith(HIDDEN) and views.knows(row)
        )
        return [user_id for user_id, _ in zip(found, range(limit))]  # noqa: B905 - the shorter one is meant to end it

    def history(self, user_id: str, *, limit: int = 50) -> list[dict[str, Any]]:
        """Return a person's last events, newest first."""
        views = self.views
        row = views.state.row_of(self._door.user_id(user_id))
        if row < 0:
            return []
        past = views.state.history(np.array([row], dtype=np.int32), limit=limit)
        names = tuple(views.event_names)
        events = [
            {
                "item_id": views.item_ids.id_of(item),
                "title": views.title_of(item),
                "event": names[code],
                "timestamp": ts,
                "value": None if math.isnan(value) else value,
            }
            for item, code, ts, value in zip(
                past.item_rows.tolist(), past.events.tolist(), past.ts.tolist(), past.values.tolist(), strict=True
            )
        ]
        return events[::-1]

    def about(self) -> dict[str, Any]:
        """Return what this engine is: versions, bundle, scenario, sizes, measured quality."""
        serving = self._serving
        report = serving.pipeline.report()
        return {
            "name": "inkling",
            "bundle": serving.bundle_name,
            "pipeline": serving.pipeline.name,
            "scenario": serving.scenario.name,
            "events": list(dict.fromkeys([*serving.scenario.positive, *self.views.event_names])),
            "target_event": next(iter(serving.scenario.positive), "interaction"),
            "clock": "data" if serving.clock.follows_data(self.views.newest_ts) else "wall",
            "now_ms": serving.now_ms(),
            "n_items": int(self.views.available(serving.now_ms()).sum()),
            "n_users": sum(not user_id.startswith(HIDDEN) for user_id in self.views.user_ids),
            "n_events": self.views.n_events,
            "version": serving.commits.version,
            "members": [msgspec.to_builtins(member) for member in report.members],
            "quality": dict(serving.bundle.quality) if serving.bundle else {},
            "caches": told(caches_of(serving.pipeline)),
        }

    def reading(self) -> ReadingStatus:
        """Return how far the reading of items is: what waits, how fast it goes, and how old the oldest is."""
        items = self._serving.keeper.items
        return items.status() if items is not None else ReadingStatus()

    def read_all(self, timeout_s: float = 60.0) -> bool:
        """Wait until every text that is written is read; return whether it was so in time."""
        return self._serving.keeper.wait(timeout_s)


def item_row(views: LiveViews, item_id: str) -> int:
    """Return the row of an item that exists.

    Raises:
        NotFoundError: There is no such item.
    """
    row = views.item_ids.row_of(item_id)
    if row < 0 or not views.catalog.exists(row):
        raise NotFoundError(f"There is no item '{item_id}'.", hint="Write it first: put_items, or PUT /v1/items/ID.")
    return row
