"""What the peers answer from, as a folder of arrays: read with numpy alone, in whatever environment a peer lives.

``bench.latency._made`` writes such folders, for the generated catalogue and for the bundled shop.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

DAY_MS = 86_400_000
EVENTS = 50
"""So many of a person's last events are kept and read."""
CANDIDATES = 200
DEPTH, RELEVANCE = 60, 0.7
"""Variety is sought among so many, and relevance counts so much beside it."""
RECALL = 0.95
"""What an index must reach of exact search."""


@dataclass(frozen=True)
class World:
    """Items, people and their last events, and a sequence model; ``about`` tells sizes, places and what time it is."""

    folder: Path
    about: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> World:
        """Open a folder; arrays are read when they are needed."""
        return cls(folder, json.loads((folder / "about.json").read_text(encoding="utf-8")))

    def array(self, name: str) -> Any:
        """Return one array."""
        return np.load(self.folder / f"{name}.npy", allow_pickle=False)

    @cached_property
    def vectors(self) -> Any:
        """Return the items' vectors (n, 64), of length one."""
        return self.array("vectors")

    @cached_property
    def table(self) -> Any:
        """Return what is known of each item (n, 12) for the ranker; the last column is its price."""
        return self.array("table")

    @cached_property
    def kinds(self) -> Any:
        """Return each item's category (n,)."""
        return self.array("kinds")

    @cached_property
    def said(self) -> Any:
        """Return the vectors (n, 384) of what items say; only where there are texts."""
        return self.array("said")

    @cached_property
    def item_ids(self) -> list[str]:
        """Return the items' names by row."""
        return self._names("item_ids", "i", self.n_items)

    @cached_property
    def user_ids(self) -> list[str]:
        """Return the people's names by row."""
        return self._names("user_ids", "u", self.n_people)

    @cached_property
    def texts(self) -> list[str]:
        """Return what people may ask for; empty without texts."""
        path = self.folder / "texts.json"
        found: list[str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
        return found

    @property
    def trees(self) -> tuple[int, int, float]:
        """Return how many trees rank, with how many leaves, and the rate that they learn at."""
        made = self.about["trees"]
        return int(made["trees"]), int(made["leaves"]), float(made["learning_rate"])

    @property
    def n_items(self) -> int:
        return int(self.about["n_items"])

    @property
    def n_people(self) -> int:
        return int(self.about["n_people"])

    @property
    def now(self) -> int:
        """Return the time at which all is asked, in epoch milliseconds."""
        return int(self.about["now"])

    @cached_property
    def histories(self) -> tuple[Any, Any, Any]:
        """Return offsets (people + 1,), item rows (N,) and times (N,), oldest first."""
        return self.array("offsets"), self.array("events"), self.array("times")

    def history(self, person: int) -> tuple[Any, Any]:
        """Return one person's item rows and times, oldest first."""
        offsets, rows, times = self.histories
        mine = slice(int(offsets[person]), int(offsets[person + 1]))
        return rows[mine], times[mine]

    def _names(self, name: str, start: str, n: int) -> list[str]:
        path = self.folder / f"{name}.json"
        if path.is_file():
            found: list[str] = json.loads(path.read_text(encoding="utf-8"))
            return found
        return [f"{start}{row}" for row in range(n)]
