"""Write ``docs/quality.md`` from ``docs/quality.json``; ``--collect`` first makes that of what the benches kept.

Run ``python scripts/quality_doc.py --collect`` after ``python -m bench quality --tasks ...``: every task that was
measured is taken from ``out/bench``, and tasks that were not stay as they are.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SUMMARY, PAGE = ROOT / "docs" / "quality.json", ROOT / "docs" / "quality.md"
KEPT = ROOT / "out" / "bench"
PRINTS = ("fingerprint", "train_fingerprint")
METRICS = ("ndcg@10", "recall@10", "hit@1")
HEAD = """\
# Quality

<!-- Written by scripts/quality_doc.py from docs/quality.json: change neither by hand. -->

What each model is worth on each public set, and what it costs. Every number follows [the protocol](evaluation.md) and
comes from one command, `python -m bench quality --tasks all --models all --peers all --seeds 0,1,2`, which measures
ours and other libraries by the same code: the same files, split and cores, settings chosen on the same validation part.

- **Ranges** are 95% intervals by bootstrap over people; ± is the standard deviation over seeds.
- **Refit** says what the fit that was measured had seen: *no refit* is the training part alone, *refit* also each
  person's validation event, *to the cut* everything up to the cut (by time and under replay), *as given* the source's
  own training part.
- **Fit** is seconds on all cores with the chosen settings, all cuts together; **ms** is one answer on one core in
  process; **MB** is the most memory of the process that chose, fitted and answered.
- **Fingerprints** name the targets and candidates, and the training part: equal ones were measured on the same.
- Names with a library before them are peers: other libraries, as they are.
"""
COLUMNS = "model|NDCG@10|recall@10|seeds|fit s|s/epoch|p50 ms|p99 ms|MB"


def collected(kept: Path, before: Mapping[str, Any]) -> dict[str, Any]:
    """Return the summary of what was kept; tasks that were not measured stay as they were."""
    tasks = {task["name"]: task for task in before.get("tasks", [])}
    for path in sorted(kept.glob("quality-*.json")):
        found = json.loads(path.read_bytes())
        if "beside" in found:
            tasks[found["task"]] = task_of(found)
    training = kept / "training.json"
    curves = json.loads(training.read_bytes()) if training.is_file() else before.get("training")
    return {"tasks": [tasks[name] for name in sorted(tasks)], **({"training": training_of(curves)} if curves else {})}


def task_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a page needs to know of one task's results."""
    report = found["report"]
    protocol, first = report["protocol"], report["models"][0]
    main = "warm" if "warm" in first["groups"] else next(iter(first["groups"]))
    machine = found["machine"]
    return {
        "name": found["task"],
        "split": protocol["split"],
        "cuts": protocol.get("cuts", []),
        "seen": protocol["seen"],
        "refit": found["refit"],
        "n": first["groups"][main]["n"],
        "prints": [protocol[name] for name in PRINTS],
        "processors": machine["processors"],
        "models": [model_of(model, found["beside"][model["name"]]) for model in report["models"]],
        "verdicts": found["verdicts"],
    }


def model_of(model: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model's numbers, rounded as they will be read."""
    return {
        "name": model["name"],
        "kind": beside["kind"],
        "seeds": len(model["seeds"]),
        "metrics": {name: _rounded(model["metrics"][name]) for name in METRICS if name in model["metrics"]},
        "fit_s": _round(model["fit_s"], 2),
        "s_per_epoch": _round(beside["s_per_epoch"], 3),
        "p50_ms": _round(model["latency_ms"]["p50"], 3),
        "p99_ms": _round(model["latency_ms"]["p99"], 3),
        "peak_mb": _round(model["peak_mb"], 0),
    }


def training_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the comparison of training speed."""
    return {"threads": found["threads"], "task": found["task"], "compared": found.get("compared", {})}


def render(summary: Mapping[str, Any]) -> str:
    """Return the page."""
    parts = [HEAD, *map(section, summary["tasks"])]
    if summary.get("training", {}).get("compared"):
        parts.append(training(summary["training"]))
    return "\n".join(parts)


def section(task: Mapping[str, Any]) -> str:
    """Return one task: what it is, the models best first, and what was promised."""
    cuts = f" at {', '.join(str(cut) for cut in task['cuts'])}" if task["cuts"] else ""
    about = (
        f"Split {task['split']}{cuts}, seen {task['seen']}, **{task['refit']}**, n = {task['n']:,}, "
        f"{task['processors']} cores. Fingerprint `{task['prints'][0][:12]}`, training part `{task['prints'][1][:12]}`."
    )
    first = "hit@1" in task["models"][0]["metrics"]
    heads = COLUMNS.replace("seeds", "HR@1|seeds", 1).split("|") if first else COLUMNS.split("|")
    rows = sorted(task["models"], key=lambda model: -model["metrics"]["ndcg@10"]["value"])
    lines = [f"| {' | '.join(heads)} |", "|---|" + "---:|" * (len(heads) - 1), *(row(one, first=first) for one in rows)]
    said = [f"- {outcome(verdict)}" for verdict in task["verdicts"]]
    return "\n".join([f"## {task['name']}\n", about, "", *lines, *(["", *said] if said else []), ""])


def row(model: Mapping[str, Any], *, first: bool) -> str:
    """Return a model as a row of a table."""
    ndcg, recall = (value(model["metrics"][name]) for name in ("ndcg@10", "recall@10"))
    ones = [value(model["metrics"]["hit@1"])] if first else []
    name = f"**{model['name']}**" if model["name"] == "default" else model["name"]
    prices = (number(model["fit_s"], 1), number(model["s_per_epoch"], 2), number(model["p50_ms"], 2),
              number(model["p99_ms"], 2), number(model["peak_mb"], 0))  # fmt: skip
    return f"| {' | '.join([name, ndcg, recall, *ones, str(model['seeds']), *prices])} |"


def value(metric: Mapping[str, Any]) -> str:
    """Return a metric with its interval, and its spread over seeds where there are several."""
    spread = f" ±{metric['sd']:.4f}" if metric.get("sd") is not None else ""
    return f"{metric['value']:.4f}{spread} ({metric['low']:.4f} to {metric['high']:.4f})"


def number(found: float | None, digits: int) -> str:
    """Return a number, or nothing where nobody told it."""
    return "" if found is None else f"{found:,.{digits}f}"


def outcome(verdict: Mapping[str, Any]) -> str:
    """Return a promise and what came of it."""
    words = {True: "reached", False: "**missed**", None: "not measured"}[verdict["reached"]]
    return f"{verdict['promise']}: {words}" + (f" ({verdict['said']})" if verdict["said"] else "")


def training(found: Mapping[str, Any]) -> str:
    """Return how fast ``sasrec`` learns beside the same model of other libraries."""
    lines = [
        f"- {name}: {one['times']:.1f} times as fast to NDCG@10 {one['quality']:.4f} "
        f"({one['ours_s']:.1f} s against {one['theirs_s']:.1f} s), an epoch {one['epoch_times']:.1f} times "
        f"({one['epoch_s'][0]:.2f} s against {one['epoch_s'][1]:.2f} s); goal {one['goal']:.0f} times: "
        + ("reached" if one["reached"] else "**missed**")
        for name, one in found["compared"].items()
    ]
    head = (
        f"`sasrec` on {found['task']}, {found['threads']} cores, the same training part (`python -m bench training`):"
    )
    return "\n".join(["## Speed of training\n", head, "", *lines, ""])


def _rounded(metric: Mapping[str, Any]) -> dict[str, float | None]:
    found = {name: _round(metric[name], 5) for name in ("value", "low", "high")}
    return {**found, "sd": _round(metric.get("seed_sd"), 5)}


def _round(number: float | None, digits: int) -> float | None:
    return None if number is None or math.isnan(number) else round(number, digits)


def main(argv: Sequence[str] | None = None) -> None:
    """Write the page, and before it the summary where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--collect", action="store_true", help="make docs/quality.json of what the benches kept")
    parser.add_argument("--kept", type=Path, default=KEPT, help="where the benches kept it (out/bench)")
    told = parser.parse_args(argv)
    if told.collect:
        before = json.loads(SUMMARY.read_bytes()) if SUMMARY.is_file() else {}
        SUMMARY.write_text(json.dumps(collected(told.kept, before), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(json.loads(SUMMARY.read_bytes())), encoding="utf-8")


if __name__ == "__main__":
    main()
