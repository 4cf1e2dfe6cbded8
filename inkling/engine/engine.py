"""The engine on this machine: a log, its views, and a pipeline."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self, cast

from inkling.core.errors import ConfigError
from inkling.core.scenario import Scenario
from inkling.engine._remote_address import is_remote
from inkling.engine.arms import Arms
from inkling.engine.arrivals import Arrivals
from inkling.engine.bundle import Bundle
from inkling.engine.clock import ClockName
from inkling.engine.impressions import ImpressionLog
from inkling.engine.pushing import Feed, Pushing
from inkling.engine.renewing import Renewing
from inkling.feedback.tally import Tally
from inkling.privacy.door import Privacy, PrivacyDoor
from inkling.stores.address import open_log
from inkling.stores.base import ChangeLog
from inkling.stores.sqlite import Durability


class LocalEngine(Renewing, Pushing):
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
        self._feed = Feed(self._owner_of)
        self._log_impressions = log_impressions
        self._impressions = ImpressionLog(self._write_impressions)
        self._arms = Arms(self._read_bundle, self._beside)
        self._tally = Tally(
            lambda since: log.scan(since=since), (bundle.scenario if bundle else scenario or Scenario()).positive
        )
        self._start(bundle, scenario or Scenario())

    def close(self) -> None:
        """Write what is left of the impressions, stop reading and close the log."""
        self._impressions.close()
        self._serving.keeper.stop()
        self._arms.stop()
        self._tally.stop()
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
    """Open an engine over the store at an address, or the one that a server has.

    A server's engine has the verbs of ``engine.base.Engine``; it is fitted, saved and swapped where it runs.
    Its key is ``INKLING_KEY``; ``inkling.connect`` is the same with a key, time limits and retries of your own.

    Args:
        url: ``memory://``, ``file:///a/folder``, or ``http://host:port``.
        bundle: A folder that ``save`` or ``inkling fit`` wrote; None starts without a model.
        scenario: What the business wants, where no bundle says it.
        privacy: Pseudonyms, masking, retention at the door.
        secret: Key of the pseudonyms, at least 16 bytes.
        durability: "fsync" or "os".
        clock: What now is: "wall", "data" (the newest event's time goes on), or "auto".

    Raises:
        StoreError: The address cannot be opened.
        BundleError: The bundle is missing or damaged.
        ConfigError: A server's engine was to get a bundle, a scenario, or privacy rules: it has its own.
    """
    if is_remote(url):
        if bundle is not None or scenario is not None or privacy is not None or secret:
            raise ConfigError(
                f"{url} is a server, which has its own bundle, scenario and privacy rules.",
                hint="Give them where the server is started: inkling serve BUNDLE --store URL.",
            )
        from inkling.engine.remote import connect

        return cast("LocalEngine", connect(url))
    opened = Bundle.read(Path(bundle)) if bundle is not None else None
    door = PrivacyDoor(privacy, secret=secret)
    log = open_log(url, durability=durability)
    return LocalEngine(log, bundle=opened, scenario=scenario, door=door, clock=clock)
