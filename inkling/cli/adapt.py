"""``inkling adapt``: a language model learns what people do with the items that it reads."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.config import override
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError
from inkling.core.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.language.adapt import AdaptConfig, AdaptReport

METHODS = ("full", "lora", "adalora", "ia3")
EXAMPLES = """\
examples:
  inkling adapt movielens-small --out out/films --minutes 10
  inkling adapt data/films --out out/films --method full --objectives sequence,similarity=0.3
  inkling adapt data/films --out out/films --cut .9 --export out/films-served
  inkling adapt data/films --out out/again --from out/films --set rank=16 --set bf16=true

The folder --out is a model that transformers loads, and that a further adapt or pretrain begins from. --export writes
what the encoder "exported" serves without torch. With --cut, what comes later is not looked at, so that the result may
be measured on it.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    add = parser.add_argument
    add("data", metavar="DATA", help="a data folder, or a known data set's name")
    add("--out", required=True, metavar="FOLDER", help="where the adapted model is written")
    add(
        "--from", dest="source", default="minilm", metavar="SOURCE", help="a folder, a name on the hub, minilm (minilm)"
    )
    add(
        "--method", default="lora", choices=METHODS, help="what moves: full, or lora, adalora, ia3, merged after (lora)"
    )
    add("--objectives", type=objectives, default={}, metavar="A,B=W",
        help="sequence, behaviour, rating, similarity, category, with weights (sequence)")  # fmt: skip
    add("--minutes", type=float, default=0.0, metavar="M", help="at most so long; 0 is no limit")
    add("--cut", type=float, default=1.0, metavar="C", help="learn from this share of the events, the oldest (1)")
    add("--set", type=_arguments.pair, action="append", default=[], metavar="K=V", help="a setting, as rank=16")
    add("--export", default="", metavar="FOLDER", help="write what is served without torch as well")
    add("--int8", action="store_true", help="in int8")
    _arguments.add_scenario(parser)
    add("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")


def objectives(text: str) -> dict[str, float]:
    """Read ``sequence,similarity=0.3``."""
    found: dict[str, float] = {}
    for word in _arguments.words(text):
        name, _, weight = word.partition("=")
        try:
            found[name.strip()] = float(weight) if weight else 1.0
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"the weight in '{word}' is no number") from error
    return found


def run(args: argparse.Namespace) -> int:
    """Learn, show, write."""
    from inkling.engine.learning import prepare
    from inkling.language.adapt import adapt

    config = settings(args)
    with _screen.progress() as progress:
        folder = _inputs.load_data(args.data, progress=progress)
        data, _ = prepare(folder, _inputs.load_scenario(args.scenario, folder))
        surroundings = Run(seed=args.seed, progress=progress, n_threads=os.cpu_count() or 1)
        found = adapt(earlier(data, args.cut), args.source, config, surroundings)
    found.save(args.out)
    _screen.note(f"Wrote {args.out}")
    if args.export:
        found.export(args.export, int8=args.int8)
        _screen.note(f"Wrote {args.export}")
    _show(_screen.out(), found.report)
    return 0


def settings(args: argparse.Namespace) -> AdaptConfig:
    """Return the settings that the words say.

    Raises:
        ConfigError: A word is none, or out of range.
    """
    from inkling.language.adapt import AdaptConfig

    if args.minutes < 0:
        raise ConfigError(f"--minutes is {args.minutes:g}, expected 0 or more.", hint="For example --minutes 10.")
    if not 0 < args.cut <= 1:
        raise ConfigError(f"--cut is {args.cut:g}, expected above 0 and up to 1.", hint="For example --cut .9.")
    said: dict[str, Any] = {"method": args.method, "max_seconds": args.minutes * 60}
    said |= dict(args.set)
    if args.objectives:
        said["objectives"] = args.objectives
    return override(AdaptConfig(), said, where="adapt")


def earlier(data: Dataset, share: float) -> Dataset:
    """Return the data as it was when ``share`` of the positive events had happened, by the rule of the time split."""
    if share >= 1:
        return data
    if data.scenario.time != "real":
        raise ConfigError("--cut needs real times, and this data has none.", hint="Leave --cut out.")
    times = data.interactions.ts[data.interactions.positive]
    return data.cut(int(times[min(int(share * len(times)), len(times) - 1)]))


def _show(console: Console, report: AdaptReport) -> None:
    from rich.table import Table

    table = Table(title="What was learned", title_justify="left", show_header=False)
    table.add_column("what", no_wrap=True)
    table.add_column("number", justify="right")
    share = f"{report.n_trained / max(report.n_parameters, 1):.1%}"
    table.add_row("parameters that moved", f"{report.n_trained:,} of {report.n_parameters:,} ({share})")
    table.add_row("texts, examples", f"{report.n_texts:,}, {report.n_examples:,}")
    for name, (first, last) in report.losses.items():
        table.add_row(f"loss of {name}, first and last pass", f"{first:.4f}, {last:.4f}")
    if report.before is not None and report.after is not None:
        table.add_row(f"NDCG@10 of {report.n_held_out} held out choices", f"{report.before:.4f} -> {report.after:.4f}")
    table.add_row("passes, seconds, why it ended", f"{report.epochs}, {report.seconds:,.0f}, {report.stopped}")
    console.print(table)
