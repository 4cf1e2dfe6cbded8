"""Learning anew while answering goes on: another process learns, a thread swaps what it accepted, and goes back."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inkling.core.errors import ConfigError, InklingError
from inkling.engine.bundles import Bundles
from inkling.feedback.gate import fallen

_LOG = logging.getLogger("inkling")
_HOUR_S = 3600.0
PATIENCE_S = 3600.0
"""So long a new bundle answers before its live quality is looked at: outcomes need time to come."""


class Swappable(Protocol):
    """The part of an engine that a schedule needs."""

    @property
    def n_events(self) -> int:
        """Return how many events were observed."""

    @property
    def bundle_name(self) -> str:
        """Return the id of the bundle that answers."""

    def swap(self, bundle: str | Path) -> str:
        """Answer with another bundle; return the id of the one before."""

    def live_quality(self, bundle: str) -> tuple[int, float]:
        """Return how many answers a bundle gave, and the share of them that anything followed."""


@dataclass(frozen=True, slots=True)
class Every:
    """How often to learn anew: after so many events, or after so many seconds; 0 is never."""

    n_events: int = 0
    seconds: float = 0.0


def parse_every(text: str) -> Every:
    """Read ``5000-events`` or a number of hours, such as ``24`` or ``0.5``.

    Raises:
        ConfigError: It is neither.
    """
    if found := re.fullmatch(r"(\d+)[ -]?events?", text.strip()):
        every = Every(n_events=int(found.group(1)))
    elif found := re.fullmatch(r"(\d+(?:\.\d+)?) ?(?:h|hours?)?", text.strip()):
        every = Every(seconds=float(found.group(1)) * _HOUR_S)
    else:
        every = Every()
    if not every.n_events and not every.seconds:
        raise ConfigError(f"'{text}' does not say how often.", hint="Write 5000-events, or hours: 24, 0.5.")
    return every


class Schedule:
    """Starts learning when it is due, and answers with what the pointer of the bundles names.

    The pointer may be moved by anybody, such as ``inkling refit`` or ``inkling refit --rollback`` by hand.
    """

    def __init__(
        self,
        engine: Swappable,
        bundles: Bundles,
        learn: Callable[[], None],
        *,
        every: Every = Every(),
        poll_s: float = 1.0,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Learn by calling ``learn``, which returns when another process is done."""
        self._engine, self._bundles, self._learn, self._every = engine, bundles, learn, every
        self._poll_s, self._patience_s, self._clock = poll_s, patience_s, clock
        self._served = bundles.pointer().current
        self._learned_events, self._learned_at = engine.n_events, clock()
        self._watched: tuple[str, float, tuple[int, float]] | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inkling-schedule", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; a process that learns is left to finish, and its result is served after the next start."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._closing.wait(self._poll_s):
            try:
                self.step()
            except (InklingError, OSError) as error:
                _LOG.warning("Learning anew failed: %s", error)

    def step(self) -> None:
        """Do what is due now."""
        self._follow()
        self._watch()
        if self._due():
            self._learned_events, self._learned_at = self._engine.n_events, self._clock()
            self._learn()
            self._follow()

    def _due(self) -> bool:
        every = self._every
        if every.n_events and self._engine.n_events - self._learned_events >= every.n_events:
            return True
        return bool(every.seconds) and self._clock() - self._learned_at >= every.seconds

    def _follow(self) -> None:
        """Answer with what the pointer names."""
        current = self._bundles.pointer().current
        if current == self._served:
            return
        before = self._engine.bundle_name
        self._engine.swap(self._bundles.path(current))
        self._served = current
        self._watched = (before, self._clock(), self._engine.live_quality(before))
        _LOG.info("Answering with the bundle %s from now on.", self._engine.bundle_name)

    def _watch(self) -> None:
        """Go back where live quality fell with the last swap."""
        if self._watched is None or self._clock() - self._watched[1] < self._patience_s:
            return
        _, _, was = self._watched
        now = self._engine.live_quality(self._engine.bundle_name)
        if fallen(was, now):
            why = f"live quality fell: {now[1]:.4f} of answers were followed by something, {was[1]:.4f} before"
            _LOG.warning("Going back to the bundle before: %s.", why)
            self._bundles.rollback(why)
            self._follow()
            self._watched = None
