"""The page on the client is true: its snippets run against a real server, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import inkling

PAGE = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python no-run\n(.*?)^```$", PAGE, re.S | re.M)


def test_every_snippet_runs(served):
    assert len(BLOCKS) == 6
    with inkling.open("memory://") as shop:
        names = {"__name__": "snippet", "url": served(shop)}
        for block in BLOCKS:
            exec(compile(block, "client.md", "exec"), names)
