"""Ours, asked over a pipe as the peers are: ``python -m bench.latency._ours BUNDLE CORE``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from bench.latency._piped import serve


class Ours:
    """An engine in this process; an answer is all that ``engine.recommend`` does, its impression included."""

    def __init__(self, bundle: Path) -> None:
        from inkling.engine.engine import open_engine

        self._engine = open_engine("memory://", bundle)
        wait = getattr(self._engine.pipeline, "wait", None)
        if wait is not None:
            wait()  # until the index answers, which is made beside the first answers otherwise

    def about(self) -> dict[str, Any]:
        """Return what answers."""
        pipeline = self._engine.pipeline
        report = pipeline.report()
        members = [member.name for member in report.members]
        return {"pipeline": pipeline.name, "ranker": report.chosen, "members": members}

    def for_person(self, user_id: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores, best first."""
        return [(item.item_id, item.score) for item in self._engine.recommend(user_id, k=k).items]

    def for_text(self, text: str, k: int) -> list[tuple[str, float]]:
        """Return ids and scores of items that say what was asked for."""
        return [(item.item_id, item.score) for item in self._engine.recommend(None, text=text, k=k).items]


if __name__ == "__main__":
    serve(lambda: Ours(Path(sys.argv[1])), core=int(sys.argv[2]))
