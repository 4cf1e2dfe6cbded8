"""``inkling demo``: learn from half a million real events, show what was measured, answer over HTTP."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from inkling.cli import _inputs, _lines, _screen
from inkling.cli._race import DATA, Race
from inkling.cli.fit import show_cleaning, show_fit, show_folder
from inkling.core.run import Progress, Run

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.engine.engine import LocalEngine
    from inkling.evaluation.output import EvaluationReport
    from inkling.events.folder import Folder

EXAMPLES = "examples:\n  inkling demo\n  inkling demo --no-serve\n"
COLUMNS = ("ndcg@10", "recall@10")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("--no-serve", action="store_true", help="end after the table and the lines of code")
    parser.add_argument("--port", type=int, default=8080, metavar="P", help="port to listen on (8080)")
    parser.add_argument("--out", default="out/demo", metavar="BUNDLE", help="where the bundle goes (out/demo)")


def run(args: argparse.Namespace) -> int:
    """Read, measure, learn, show, serve."""
    console, start = _screen.out(), time.perf_counter()
    console.print(
        "A year of a UK gift shop's invoices (Online Retail, Chen 2015, CC BY 4.0) comes with Inkling. The demo reads "
        "it, measures the default pipeline beside six tuned baselines on the last tenth of the purchases, learns from "
        "everything, and answers.\n",
        soft_wrap=True,
        markup=False,
    )
    with _screen.progress() as progress, Race(progress) as race:
        folder = _read(console, progress)
        race.run(folder)
        engine = _learn(folder, race.pipeline, progress)
        reports = race.reports()
    _show(console, reports)
    with engine:
        _keep(console, engine, reports, args.out)
        _use(console, engine, args)
        console.print(f"\n{time.perf_counter() - start:.0f} seconds in all.")
        if not args.no_serve:
            _serve(console, engine, args.port)
    return 0


def _read(console: Console, progress: Progress) -> Folder:
    from inkling import datasets, scenarios

    folder = datasets.load(DATA, progress=progress)
    show_folder(console, folder)
    settled, scenario, _ = _inputs.settle(folder, scenarios.load("retail"), ())
    show_cleaning(console, settled, scenario, progress)
    console.print()
    return folder


def _show(console: Console, reports: list[EvaluationReport]) -> None:
    from inkling.evaluation.table import render_table

    for report in reports:
        console.print(render_table(report, metrics=COLUMNS))
        console.print()
    console.print(
        "The baselines have the settings that won on validation among those that `inkling evaluate` tries.\n",
        soft_wrap=True,
        markup=False,
    )


def _learn(folder: Folder, pipeline: Any, progress: Progress) -> LocalEngine:
    """Learn from everything in the order that was chosen and measured on the part before the cut."""
    from inkling import scenarios
    from inkling.engine.engine import open_engine

    engine = open_engine(scenario=scenarios.load("retail"))
    return engine.refit(folder, pipeline, run=Run(progress=progress))


def _keep(console: Console, engine: LocalEngine, reports: list[EvaluationReport], out: str) -> None:
    """Save the bundle, and beside it what was measured."""
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    engine.save(out)
    Path(f"{out.rstrip('/')}.json").write_bytes(msgspec.json.format(msgspec.json.encode(reports), indent=2))
    show_fit(console, engine)
    console.print(f"Saved as {out}, and what was measured as {out.rstrip('/')}.json.", markup=False)


def _use(console: Console, engine: LocalEngine, args: argparse.Namespace) -> None:
    """Show the lines that use the bundle, each with what it really answered."""
    user = _lines.somebody(engine)
    bought = engine.recommend(user, k=10).items[-1].item_id
    lines = _lines.python_lines(args.out, user, bought)
    console.rule("Python", align="left")
    console.print(lines, markup=False, soft_wrap=True)
    console.print(_lines.run_python(lines), style="green", markup=False, soft_wrap=True)
    console.rule("HTTP", align="left")
    url = f"http://127.0.0.1:{args.port}"
    event = {"user_id": user, "item_id": bought, "event": "purchase"}
    for path, body in (("/v1/events", {"events": [event]}), ("/v1/recommend", {"user_id": user, "k": 3})):
        console.print(_lines.curl_line(url, path, body), markup=False, soft_wrap=True)
        console.print(_lines.call(engine, path, body), style="green", markup=False, soft_wrap=True)


def _serve(console: Console, engine: LocalEngine, port: int) -> None:
    from inkling.server.serve import serve

    def ready(url: str) -> None:
        console.print(f"Serving. Look at {url}/console (calls: {url}/docs). Ctrl-C stops.", markup=False)

    serve(engine.warm(), port=port, ready=ready)
