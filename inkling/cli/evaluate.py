"""``inkling evaluate``: models compared under one protocol."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.errors import ConfigError
from inkling.core.run import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inkling.core.scenario import Scenario
    from inkling.evaluation.contenders import Contender
    from inkling.evaluation.evaluate import Evaluation
    from inkling.protocol.spec import ProtocolSpec

EXAMPLES = """\
examples:
  inkling evaluate online-retail --models popular,repeat,ease,default
  inkling evaluate data/shop --split loo --seeds 0,1,2 --json out/loo.json --report out/loo.html
  inkling evaluate data/films --cuts .5,.6,.7,.8,.9 --seen drop --dump out/films
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    add, names = parser.add_argument, _arguments.words
    add("data", metavar="DATA", help="a data folder, or a known data set's name")
    _arguments.add_scenario(parser)
    add(
        "--models",
        type=names,
        default=(),
        metavar="A,B",
        help="baselines, retrievers, pipelines; default: all baselines and default",
    )
    add(
        "--split",
        default="",
        metavar="SPLIT",
        help="time, loo, random, given, cold or replay; default: what the data can carry",
    )
    add("--cuts", type=_arguments.shares, default=(0.9,), metavar="C", help="shares of the events before each cut (.9)")
    add("--seen", default="", metavar="SEEN", help="keep or drop what a person had; default: as the scenario says")
    add("--k", type=_arguments.whole_numbers, default=(10, 20), metavar="K", help="places that metrics look at (10,20)")
    add("--folds", type=int, default=0, metavar="N", help="cross-validation over people; 0 is off")
    add("--slices", type=_arguments.words, default=(), metavar="A,B", help="report by contexts, hour, weekday")
    add("--seeds", type=_arguments.whole_numbers, default=(0,), metavar="S", help="seeds to fit with (0)")
    add("--minutes", type=float, default=0.0, metavar="M", help="a limit of one fit of a pipeline; 0 is none")
    add("--settings", metavar="FILE", help="settings.toml of `inkling tune`: its models keep those, and choose none")
    add("--json", metavar="FILE", help="write the report as JSON")
    add("--dump", metavar="DIR", help="write targets and answers as parquet, so that anyone can compute again")
    add("--report", metavar="FILE.html", help="write a page with tables and plots")


def run(args: argparse.Namespace) -> int:
    """Compare, show, write what was asked for."""
    from inkling.evaluation.folder import evaluate_folder
    from inkling.evaluation.table import render_table

    _check_places(args)
    with _screen.progress() as progress:
        folder = _inputs.load_data(args.data, progress=progress)
        scenario = _inputs.load_scenario(args.scenario, folder)
        surroundings = Run(progress=progress)
        found = evaluate_folder(
            folder, scenario, spec=_spec(args), models=_models(args, scenario), run=surroundings, minutes=args.minutes
        )
    _screen.out().print(render_table(found.report))
    _write(found, args)
    return 0


def _models(args: argparse.Namespace, scenario: Scenario) -> Sequence[str | Contender]:
    """Return what was named; those that the file of settings tells of come with their settings.

    Raises:
        ConfigError: The file tells of none of them.
    """
    if not args.settings:
        return tuple(args.models)
    from inkling.evaluation.tuning.models import with_settings

    found = _inputs.read_settings(args.settings)
    names = args.models or tuple(found)
    if not set(names) & set(found):
        raise ConfigError(f"--settings tells of none of {', '.join(names)}.", hint=f"It tells of {', '.join(found)}.")
    settled = {
        name: with_settings(name, scenario, found[name], minutes=args.minutes) for name in names if name in found
    }
    return [settled.get(name, name) for name in names]


def _spec(args: argparse.Namespace) -> ProtocolSpec:
    from inkling.protocol.spec import ProtocolSpec

    return ProtocolSpec(
        split=args.split,
        cuts=args.cuts,
        seen=args.seen,
        ks=args.k,
        folds=args.folds,
        seeds=args.seeds,
        slices=args.slices,
    )


def _check_places(args: argparse.Namespace) -> None:
    for flag, text in (("--json", args.json), ("--report", args.report)):
        if text and Path(text).is_dir():
            raise ConfigError(f"{flag}: '{text}' is a folder, expected a file.", hint="Name a file in it.")
    if args.dump and Path(args.dump).is_file():
        raise ConfigError(f"--dump: '{args.dump}' is a file, expected a folder.", hint="Name a folder.")


def _write(found: Evaluation, args: argparse.Namespace) -> None:
    if args.json:
        _save(args.json, found.report.to_json())
    if args.report:
        from inkling.evaluation.report import render_html

        _save(args.report, render_html(found.report, name=f"Evaluation of {Path(args.data).name}").encode())
    if args.dump:
        from inkling.evaluation.dump import dump

        for path in dump(found, args.dump):
            _screen.note(f"Wrote {path}")


def _save(place: str, content: bytes) -> None:
    path = Path(place)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    _screen.note(f"Wrote {path}")
