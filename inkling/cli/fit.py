"""``inkling fit``: from a data folder, or a store's own log, to a bundle."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.errors import BundleError, ConfigError
from inkling.core.run import Progress, Run

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.core.scenario import Scenario
    from inkling.engine.bundle import Bundle
    from inkling.engine.engine import LocalEngine
    from inkling.events.folder import Folder

PIPELINE = "default"
EXAMPLES = """\
examples:
  inkling fit data/shop --out out/shop
  inkling fit online-retail --out out/retail --set n_windows=2 --seed 1
  inkling fit file:///var/lib/shop --out out/shop --scenario retail
  inkling fit data/new-shop --out out/new --from out/shop

--set changes a setting of the pipeline (members.popular.k=100), or of the scenario where the key begins with
"scenario." (scenario.seen=drop, scenario.cleaning.max_user_events=5000). A wrong key names the right ones.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    parser.add_argument("data", metavar="DATA|STORE", help="a data folder, a known data set's name, or file:///a/store")
    parser.add_argument(
        "--out", metavar="BUNDLE", required=True, help="the folder to write; an older bundle is replaced"
    )
    _arguments.add_scenario(parser)
    parser.add_argument("--minutes", type=float, default=0.0, metavar="M", help="a limit of time; 0 is none")
    parser.add_argument(
        "--set", type=_arguments.pair, action="append", default=[], metavar="KEY=VALUE", help="change a setting"
    )
    parser.add_argument(
        "--settings",
        metavar="FILE",
        help="settings.toml of `inkling tune`: those of the pipeline; --set goes over them",
    )
    parser.add_argument(
        "--from",
        dest="start",
        metavar="BUNDLE",
        help="begin from what was learned on other data",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")
    parser.add_argument("--logs", metavar="DIR", help="write TensorBoard's event files of what is trained")
    parser.add_argument("--track", metavar="SERVICE", help="log what is trained to a service as well: wandb")


def run(args: argparse.Namespace) -> int:
    """Fit, tell what was chosen, save."""
    from inkling.evaluation.tracking import open_tracking

    _check_place(args.out)
    start = _start(args)
    tracking = open_tracking(args.logs, args.track)
    with _screen.progress() as progress, tracking.trial("fit", dict(args.set)) as watch:
        surroundings = Run(seed=args.seed, progress=progress, watch=watch)
        engine = (
            _from_store(args, surroundings, start)
            if _inputs.is_store(args.data)
            else _from_data(args, surroundings, start)
        )
    with engine:
        show_fit(_screen.out(), engine)
        engine.save(args.out)
    _screen.out().print(
        f"Saved as {args.out} (settings resolved in {_inputs.MANIFEST}). "
        f"Next: `inkling recommend {args.out} --user ID`, `inkling serve {args.out}`.",
        soft_wrap=True,
        markup=False,
    )
    return 0


def _check_place(out: str) -> None:
    """Find out before the work whether its result can be written."""
    place = Path(out)
    if place.exists() and not _inputs.is_bundle(out) and not (place.is_dir() and not any(place.iterdir())):
        raise BundleError(f"'{out}' exists and is no bundle.", hint="Name another folder with --out.")


def _from_data(args: argparse.Namespace, run: Run, start: Bundle | None) -> LocalEngine:
    from inkling.engine.engine import open_engine

    folder = _inputs.load_data(args.data, progress=run.progress)
    scenario = _inputs.load_scenario(args.scenario, folder)
    show_folder(_screen.out(), folder, rejects=f"{args.out.rstrip('/')}.rejects.jsonl")
    folder, scenario, settings = _inputs.settle(folder, scenario, _changes(args))
    show_cleaning(_screen.out(), folder, scenario, run.progress)
    return open_engine(scenario=scenario).fit(
        folder, scenario=scenario, settings=settings, minutes=args.minutes, run=run, start=start
    )


def _start(args: argparse.Namespace) -> Bundle | None:
    if not args.start:
        return None
    from inkling.engine.bundle import Bundle

    if not _inputs.is_bundle(args.start):
        raise BundleError(f"--from: '{args.start}' is no bundle.", hint="Name a folder that `inkling fit` wrote.")
    return Bundle.read(Path(args.start))


def _changes(args: argparse.Namespace) -> list[tuple[str, Any]]:
    """Return what --settings says of the pipeline, and over it what --set says.

    Raises:
        ConfigError: The file tells of no pipeline.
    """
    if not args.settings:
        return list(args.set)
    found = _inputs.read_settings(args.settings)
    if PIPELINE not in found:
        raise ConfigError(
            f"{args.settings} tells of {', '.join(found) or 'nothing'}, not of the pipeline '{PIPELINE}'.",
            hint=f"Search it: `inkling tune DATA --models {PIPELINE}`; a member's settings go by --set.",
        )
    return [*found[PIPELINE].items(), *args.set]


def _from_store(args: argparse.Namespace, run: Run, start: Bundle | None) -> LocalEngine:
    from inkling.engine.engine import open_engine

    scenario, settings = _inputs.resolve(_inputs.load_scenario(args.scenario), _changes(args))
    engine = open_engine(args.data, scenario=scenario)
    return engine.fit(scenario=scenario, settings=settings, minutes=args.minutes, run=run, start=start)


def show_folder(console: Console, folder: Folder, *, rejects: str = "") -> None:
    """Tell what was read, and where the rows that could not be read are."""
    for line in folder.report.lines(n_rejects=2):
        console.print(line, markup=False, soft_wrap=True)
    if rejects and folder.report.n_rejects:
        Path(rejects).parent.mkdir(parents=True, exist_ok=True)
        n = folder.write_rejects(Path(rejects))
        console.print(f"{n:,} rows put aside: {rejects}", style="yellow", markup=False, soft_wrap=True)


def show_cleaning(console: Console, folder: Folder, scenario: Scenario, progress: Progress) -> None:
    """Tell what each rule of cleaning did."""
    from inkling.events.clean import clean_part, clean_rows

    progress("cleaning", 0, 1)
    events, rows = clean_rows(folder.events, scenario)
    events, part = clean_part(events, scenario)
    progress("cleaning", 1, 1)
    console.print(f"Cleaning left {part.after:,} of {rows.before:,} events:", markup=False)
    for done in (*rows.rules, *part.rules):
        what = [f"{n:,} {word}" for n, word in ((done.removed, "left out"), (done.changed, "changed")) if n]
        console.print(f"  {done.rule}: {', '.join(what) or 'nothing to do'}", markup=False, soft_wrap=True)


def show_fit(console: Console, engine: LocalEngine) -> None:
    """Tell what the fit chose, member by member."""
    from rich.table import Table

    report, about = engine.pipeline.report(), engine.about()
    console.print(
        f"Learned from {about['n_events']:,} events of {about['n_users']:,} people with {about['n_items']:,} items "
        f"in {report.fit_s:.1f} s; scenario {about['scenario']}, pipeline {about['pipeline']}.",
        markup=False,
        soft_wrap=True,
    )
    if report.members:
        table = Table(title="Members, by NDCG@10 on validation windows inside the data", title_justify="left")
        table.add_column("member", no_wrap=True)
        for name in ("weight", "alone", "without", "ms"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("note")
        for member in report.members:
            numbers = (f"{member.weight:g}", f"{member.alone:.4f}", f"{member.without:.4f}", f"{member.ms:.2f}")
            table.add_row(member.name, *numbers, member.note)
        console.print(table)
    if report.validation:
        console.print(f"Order: {report.chosen} ({_values(report.validation)})", markup=False, soft_wrap=True)
    if report.reading:
        told = _values(report.reading)
        console.print(f"A language model, on the newest window: {told}", markup=False, soft_wrap=True)
    if report.ratings:
        console.print(f"Ratings: {_values(report.ratings)}", markup=False, soft_wrap=True)
    for line in report.left_out:
        console.print(f"Left out: {line}", style="yellow", markup=False, soft_wrap=True)


def _values(found: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in found.items())
