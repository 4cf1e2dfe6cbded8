"""Put what ``python -m bench quality`` measured on the bundled shop into both READMEs.

Run ``python scripts/readme_numbers.py`` after it.

Other files may be named instead: reports of ``make demo`` (out/demo.json) or of the bench.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
BENCH = ("out/bench/quality-online-retail-keep.json", "out/bench/quality-online-retail-drop.json")
START, END = "<!-- numbers: scripts/readme_numbers.py -->", "<!-- /numbers -->"
WORDS = {
    "README.md": {
        "keep": "What people had may be recommended again (`--seen keep`, {n:,} people)",
        "drop": "Only what is new to the person (`--seen drop`, {n:,} people)",
        "head": "model|NDCG@10|recall@10|`default` is better by (95%)|p50 ms|p99 ms|fit s",
    },
    "README.zh.md": {
        "keep": "买过的商品可以再次推荐（`--seen keep`，{n:,} 人）",
        "drop": "只推荐此人没买过的商品（`--seen drop`，{n:,} 人）",
        "head": "模型|NDCG@10|recall@10|`default` 高出（95% 区间）|p50 毫秒|p99 毫秒|训练 秒",
    },
}


def row(model: dict[str, Any]) -> str:
    ndcg, recall = (model["metrics"][name]["value"] for name in ("ndcg@10", "recall@10"))
    gap = model.get("paired")
    told = f"{(gap['ratio'] - 1) * 100:+.1f}% [{gap['low']:+.4f}, {gap['high']:+.4f}]" if gap else ""
    name = f"**{model['name']}**" if model["name"] == "default" else model["name"]
    speed = model["latency_ms"]
    price = f"{speed['p50']:.2f} | {speed['p99']:.2f} | {model['fit_s']:.1f}"
    return f"| {name} | {ndcg:.4f} | {recall:.4f} | {told} | {price} |"


def table(report: dict[str, Any], words: dict[str, str]) -> str:
    models = sorted(report["models"], key=lambda model: -model["metrics"]["ndcg@10"]["value"])
    n = models[0]["groups"]["warm"]["n"]
    head = words["head"].split("|")
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1), *map(row, models)]
    return f"{words[report['protocol']['seen']].format(n=n)}:\n\n" + "\n".join(lines)


def reports_of(path: Path) -> list[dict[str, Any]]:
    """Return the reports of a file: the demo writes a list of them, the bench one with its goal beside it."""
    found = json.loads(path.read_bytes())
    return found if isinstance(found, list) else [found["report"]]


def main(*paths: str) -> None:
    """Rewrite what lies between the two marks."""
    reports = [report for path in paths or BENCH for report in reports_of(ROOT / path)]
    for name, words in WORDS.items():
        page = ROOT / name
        text = "\n\n".join(table(report, words) for report in reports)
        marked = re.compile(f"{re.escape(START)}.*?{re.escape(END)}", re.DOTALL)
        fresh = marked.sub(lambda _, text=text: f"{START}\n{text}\n{END}", page.read_text(encoding="utf-8"))
        page.write_text(fresh, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
