"""``inkling pretrain``: a language model reads the domain's own text."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.cli import _arguments, _inputs, _screen
from inkling.core.config import override
from inkling.core.errors import ConfigError
from inkling.core.run import Run

if TYPE_CHECKING:
    from rich.console import Console

    from inkling.core.dataset import Dataset
    from inkling.core.scenario import Scenario
    from inkling.events.folder import Folder
    from inkling.language.pretrain import Keeping, PretrainConfig, PretrainReport
    from inkling.protocol.fold import Fold

EXAMPLES = """\
examples:
  inkling pretrain movielens-small --out out/films --from minilm --minutes 20
  inkling pretrain data/films --out out/own --objective mlm,nsp --epochs 10 --set kind=bert --set dim=256
  inkling pretrain data/films --out out/films --from minilm --cut .9 --measure
  inkling pretrain data/films --out out/films --from minilm --resume

Without --from a tokenizer and a small model are trained from nothing. The folder --out is a model that transformers
loads, and that `inkling adapt` or a further pretraining begins from. With --cut, texts of later events are not read, so
that the result may be measured on them; --measure does, against the model that it began from.
"""
METRIC = "ndcg@10"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    add = parser.add_argument
    add("data", metavar="DATA", help="a data folder, or a known data set's name")
    add("--out", required=True, metavar="FOLDER", help="where the model is written; an older one is replaced")
    add("--from", dest="source", default="", metavar="SOURCE", help="a folder, a name on the hub, minilm; or nothing")
    add("--objective", type=_arguments.words, default=(), metavar="A,B", help="mlm, clm, nsp (mlm)")
    add("--epochs", type=int, default=0, metavar="N", help="read all texts at most so often (3)")
    add("--minutes", type=float, default=0.0, metavar="M", help="at most so long; 0 is no limit")
    add("--cut", type=float, default=1.0, metavar="C", help="read texts of this share of the events, the oldest (1)")
    add("--measure", action="store_true", help="with --cut: NDCG@10 of 'semantic' on what came later, before and after")
    add("--resume", action="store_true", help="go on where an earlier call was interrupted")
    add("--set", type=_arguments.pair, action="append", default=[], metavar="K=V", help="a setting, as lr=1e-4")
    add("--json", metavar="FILE", help="write the report as JSON")
    _arguments.add_scenario(parser)
    add("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")


def run(args: argparse.Namespace) -> int:
    """Read, show, write."""
    from inkling.language.pretrain import Keeping, pretrain, texts_of

    config = settings(args)
    keeping = Keeping(Path(f"{args.out.rstrip('/')}.checkpoint"), resume=args.resume)
    _check_place(Path(args.out), keeping)
    with _screen.progress() as progress:
        folder = _inputs.load_data(args.data, progress=progress)
        data, fold = training_part(folder, _inputs.load_scenario(args.scenario, folder), args.cut)
        texts, learned = texts_of(data)
        surroundings = Run(seed=args.seed, progress=progress, n_threads=os.cpu_count() or 1)
        found = pretrain(texts, args.source or None, config, surroundings, keeping=keeping, learned=learned)
        found.save(args.out)
        keeping.remove()
        worth = gains(fold, args.source, args.out, surroundings) if args.measure and fold is not None else {}
    _show(_screen.out(), found.report, worth)
    _screen.note(f"Wrote {args.out}")
    if args.json:
        _save_json(Path(args.json), found.report, worth)
    return 0


def settings(args: argparse.Namespace) -> PretrainConfig:
    """Return the settings that the words say.

    Raises:
        ConfigError: A word is none, or out of range.
    """
    from inkling.language.pretrain import PretrainConfig

    if args.minutes < 0 or args.epochs < 0:
        raise ConfigError(
            f"--minutes {args.minutes:g}, --epochs {args.epochs}: expected 0 or more.", hint="For example --minutes 10."
        )
    if not 0 < args.cut <= 1:
        raise ConfigError(f"--cut is {args.cut:g}, expected above 0 and up to 1.", hint="For example --cut .9.")
    if args.measure and args.cut == 1:
        raise ConfigError("--measure needs --cut: what is measured must not have been read.", hint="Add --cut .9.")
    said: dict[str, Any] = {"max_seconds": args.minutes * 60} if args.minutes else {}
    said |= {"objectives": list(args.objective)} if args.objective else {}
    said |= {"epochs": args.epochs} if args.epochs else {}
    return override(PretrainConfig(), said | dict(args.set), where="pretrain")


def _check_place(out: Path, keeping: Keeping) -> None:
    """Find out before the work whether its result can be written, and whether there is something to resume."""
    from inkling.encoders.backbone import CARD

    if out.exists() and not (out / CARD).is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise ConfigError(f"'{out}' exists and is no language model.", hint="Name another folder with --out.")
    if keeping.resume and not keeping.begun:
        raise ConfigError(f"--resume: nothing was interrupted in {keeping.folder}.", hint="Leave --resume out.")
    if keeping.begun and not keeping.resume:
        raise ConfigError(
            f"A pretraining was interrupted in {keeping.folder}.", hint="Add --resume, or remove that folder."
        )


def training_part(folder: Folder, scenario: Scenario, share: float) -> tuple[Dataset, Fold | None]:
    """Return what may be read, and what comes after the cut; all of the data, and nothing, where there is no cut.

    Raises:
        ProtocolError: The data has no real times.
    """
    if share == 1:
        from inkling.engine.learning import prepare

        return prepare(folder, scenario)[0], None
    from inkling.evaluation.folder import prepare as prepare_split
    from inkling.protocol.spec import ProtocolSpec
    from inkling.protocol.splits import split

    events, own, tables = prepare_split(folder, scenario)
    (fold,) = split(events, own, tables, ProtocolSpec(split="time", cuts=(share,)))
    return fold.train, fold


def gains(fold: Fold, source: str, out: str, run: Run) -> dict[str, float]:
    """Return NDCG@10 of ``semantic`` after the cut, with the model that it began from and with the pretrained one."""
    from inkling.encoders.backbone import BackboneEncoder
    from inkling.protocol.measure import measure
    from inkling.retrieval import RETRIEVERS

    kind = RETRIEVERS.get("semantic")
    found = {}
    for name, model in (("before", source), ("after", out)):
        if model:
            reader = BackboneEncoder(model, n_threads=run.n_threads)
            retriever = kind(kind.Config(), encoder=reader).fit(fold.train, run)
            found[name] = measure(fold, retriever.retrieve, (METRIC,)).value(METRIC)
    return found


def _show(console: Console, report: PretrainReport, worth: dict[str, float]) -> None:
    from rich.table import Table

    table = Table(title=f"Loss on {report.n_held:,} texts that were never read", title_justify="left")
    table.add_column("objective", no_wrap=True)
    for name in ("before", "after", "guessing", "its head"):
        table.add_column(name, justify="right", no_wrap=True)
    for measured in report.measured:
        losses = (measured.before, measured.after, measured.guess)
        head = "new" if measured.head == "new" else "of the model"
        table.add_row(measured.objective, *(f"{loss:.3f}" for loss in losses), head)
    console.print(table)
    told = (
        f"{report.n_texts:,} texts, {report.epochs} epochs (the best is {report.best_epoch}), {report.seconds:,.0f} s"
    )
    console.print(f"{told}; it ended by {report.stopped}.", markup=False)
    if worth:
        said = ", ".join(f"{name} {value:.4f}" for name, value in worth.items())
        console.print(f"NDCG@10 of 'semantic' on what came after the cut: {said}.", markup=False)
    for measured in report.measured:
        if measured.after >= measured.before:
            said = f"{measured.objective}: the held-out loss did not fall; this model is no better than before."
            console.print(said, style="yellow", markup=False)


def _save_json(path: Path, report: PretrainReport, worth: dict[str, float]) -> None:
    import msgspec

    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {**msgspec.to_builtins(report), "semantic_ndcg@10": worth}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=2))
    _screen.note(f"Wrote {path}")
