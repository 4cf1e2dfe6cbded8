"""The engine on this machine: a log, its views, and a pipeline."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from inkling.core.scenario import Scenario
from inkling.engine.arrivals import Arrivals
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName
from inkling.engine.fitting import Fitting
from inkling.engine.impressions import ImpressionLog
from inkling.privacy.door import Privacy, PrivacyDoor
from inkling.stores.address import open_log
from inkling.stores.base import ChangeLog
from inkling.stores.sqlite import Durability


class LocalEngine(Fitting):
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
