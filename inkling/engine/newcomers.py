"""Questions for new people as an engine asks them: by ids, about items that are still there."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.errors import RequestError
from inkling.core.run import Run
from inkling.engine.base import Asked, AskedOption, Onboarded
from inkling.engine.onboarding import Onboarding

if TYPE_CHECKING:
    from inkling.core.arrays import I32
    from inkling.engine.bundle import Bundle
    from inkling.engine.live import LiveViews


class Newcomers:
    """The questions of one bundle, chosen when they are first asked for, from the events that it learned from."""

    def __init__(self, bundle: Bundle | None, views: LiveViews) -> None:
        """Ask about what ``bundle`` knows, in the words of ``views``."""
        self._bundle, self._views = bundle, views
        self._lock = threading.Lock()
        self._made: Onboarding | None = None

    def next(self, answers: Sequence[int], *, language: str) -> Onboarded:
        """Return the question after ``answers``, and what they are worth as a history.

        Raises:
            RequestError: Nothing was learned yet, or an answer is none of the options.
        """
        made = self._questions()
        found = made.ask(answers, language=language)
        history = self._ids(made.item_rows(answers))
        if found is None:
            return Onboarded(None, history)
        options = tuple(self._option(np.array(option.item_rows, np.int32), language) for option in found.options)
        return Onboarded(Asked(found.text, options, found.none), history)

    def _questions(self) -> Onboarding:
        if self._bundle is None:
            raise RequestError(
                "There are no questions: nothing was learned yet.", hint="Serve a bundle: inkling fit, then open it."
            )
        with self._lock:
            if self._made is None:
                self._made = Onboarding.fit(self._bundle.base, Run())
            return self._made

    def _option(self, item_rows: I32, language: str) -> AskedOption:
        there = [row for row in item_rows.tolist() if self._views.catalog.exists(row)]
        join = "、" if language.startswith("zh") else ", "
        return AskedOption(join.join(self._views.title_of(row) for row in there), self._ids(there))

    def _ids(self, item_rows: Sequence[int] | I32) -> tuple[str, ...]:
        known = (int(row) for row in item_rows if self._views.catalog.exists(int(row)))
        return tuple(self._views.item_ids.id_of(row) for row in known)
