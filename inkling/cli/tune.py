"""``inkling tune``: settings searched by validation, every trial kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.errors import ConfigError
from inkling.core.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.evaluation.tuning import TuneReport

DEFAULT = ("default",)
EXAMPLES = """\
examples:
  inkling tune online-retail --minutes 20 --models default,ease,itemknn
  inkling tune data/films --minutes 60 --models sasrec --study out/films --report out/films.html
  inkling evaluate data/films --models sasrec --settings out/films/settings.toml

A search that ended or was killed goes on where the folder --study keeps its trials. Nothing of the test part is
looked at.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    add = parser.add_argument
    add("data", metavar="DATA", help="a data folder, or a known data set's name")
    add("--minutes", type=float, required=True, metavar="M", help="how long to search now")
    add("--models", type=_arguments.words, default=DEFAULT, metavar="A,B", help="what to search (default)")
    add("--trials", type=int, default=0, metavar="N", help="at most so many trials of each model in all; 0 is no limit")
    add("--study", default="", metavar="DIR", help="the folder that keeps every trial (out/tune/DATA)")
    _arguments.add_scenario(parser)
    add("--split", default="", metavar="SPLIT", help="as in evaluate: the search uses its validation parts")
    add("--cuts", type=_arguments.shares, default=(0.9,), metavar="C", help="shares of the events before each cut (.9)")
    add("--seen", default="", metavar="SEEN", help="keep or drop what a person had; default: as the scenario says")
    add("--folds", type=int, default=0, metavar="N", help="cross-validation over people; 0 is off")
    add("--people", type=int, default=3000, metavar="N", help="ask at most so many of each validation part (3000)")
    add("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")
    add("--json", metavar="FILE", help="write every trial as JSON")
    add("--report", metavar="FILE.html", help="write a page with tables and plots")
    add("--logs", metavar="DIR", help="write TensorBoard's event files, a folder for each trial")
    add("--track", metavar="SERVICE", help="log trials to a service as well: wandb")


def run(args: argparse.Namespace) -> int:
    """Search, show, write what was asked for."""
    from inkling.evaluation.tracking import open_tracking
    from inkling.evaluation.tuning import Search, tune_folder
    from inkling.protocol.spec import ProtocolSpec

    _check(args)
    tracking = open_tracking(args.logs, args.track)
    place = Path(args.study or Path("out") / "tune" / Path(args.data).name)
    spec = ProtocolSpec(split=args.split, cuts=args.cuts, seen=args.seen, folds=args.folds)
    search = Search(args.models, place, args.minutes, args.trials, args.people, spec)
    with _screen.progress() as progress:
        folder = _inputs.load_data(args.data, progress=progress)
        scenario = _inputs.load_scenario(args.scenario, folder)
        surroundings = Run(seed=args.seed, progress=progress)
        found = tune_folder(folder, scenario, search, run=surroundings, tracking=tracking)
    _show(_screen.out(), found)
    _write(found, args, place)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.minutes <= 0:
        raise ConfigError(f"--minutes is {args.minutes:g}, expected more than 0.", hint="For example --minutes 10.")
    if args.trials < 0 or args.people < 1:
        raise ConfigError(f"--trials {args.trials}, --people {args.people}: expected 0 or more, and 1 or more.")
    for flag, text in (("--json", args.json), ("--report", args.report)):
        if text and Path(text).is_dir():
            raise ConfigError(f"{flag}: '{text}' is a folder, expected a file.", hint="Name a file in it.")


def _show(console: Console, found: TuneReport) -> None:
    from rich.table import Table

    from inkling.evaluation.tuning.output import set_words
    from inkling.evaluation.tuning.page import counts, number

    table = Table(title=f"{found.metric} on validation; the test part was not looked at", title_justify="left")
    table.add_column("model", no_wrap=True)
    for name in ("best", "own settings", "finished", "pruned", "failed", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for model in found.models:
        table.add_row(model.name, number(model.best), number(model.own), *counts(model), f"{model.seconds:,.0f}")
    console.print(table)
    for model in found.models:
        words = " ".join(set_words(model))
        said = words or ("its own settings are the best" if model.best else "no trial finished")
        console.print(f"{model.name}: {said}", markup=False, soft_wrap=True)
        if model.note:
            console.print(f"{model.name}: {model.note}", style="yellow", markup=False, soft_wrap=True)


def _write(found: TuneReport, args: argparse.Namespace, study: Path) -> None:
    from inkling.evaluation.tuning import render_tune
    from inkling.evaluation.tuning.output import settings_toml

    _save(study / "settings.toml", settings_toml(found).encode())
    if args.json:
        _save(Path(args.json), found.to_json())
    if args.report:
        _save(Path(args.report), render_tune(found, name=f"Settings for {Path(args.data).name}").encode())


def _save(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    _screen.note(f"Wrote {path}")
