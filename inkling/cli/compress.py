"""``inkling compress``: a bundle within a budget of milliseconds that keeps a share of its quality."""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.cli import _arguments, _inputs, _screen
from inkling.cli.fit import _check_place
from inkling.core.errors import BundleError, ConfigError, InklingError
from inkling.core.run import Run

if TYPE_CHECKING:
    from inkling.cli._frontier import Outcome
    from inkling.compression.search import Limits, Measured
    from inkling.engine.bundle import Bundle
    from inkling.engine.compressing import Compressing

EXAMPLES = """\
examples:
  inkling compress out/shop --out out/fast --budget-ms 2 --keep 0.99
  inkling compress out/shop --out out/fast --budget-ms 5 --keep 0.95 --report out/fast.html
  inkling compress out/shop --out out/fast --budget-ms 1 --encoders static,out/my-student --questions person

Quality is judged on the newest window of the bundle's own events, by a twin that is fitted without it. The twin, the
encoders and every measurement are kept in the folder --study: a call that ended or was killed goes on there. Where
nothing meets both limits, nothing is written, and the nearest alternative is named.
"""
NONE = "none"
_QUESTIONS = {"person": "a person", "sentence": "a sentence"}
_REGISTERED = ("static", "hashing")
_CONFIRMED = 3
_TWIN_SHARE, _STUDENT_SHARE = 0.4, 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """State the arguments."""
    add = parser.add_argument
    _arguments.add_bundle(parser)
    add("--out", metavar="BUNDLE", required=True, help="the folder to write; an older bundle is replaced")
    add("--budget-ms", type=float, required=True, metavar="X", help="milliseconds for an answer, 99th percentile")
    add("--keep", type=float, default=0.99, metavar="S", help="share of the quality that has to stay (0.99)")
    add("--minutes", type=float, default=30.0, metavar="M", help="how long to search now (30); 0 is no limit")
    add(
        "--questions",
        type=_arguments.words,
        default=tuple(_QUESTIONS),
        metavar="A,B",
        help="what the budget is about: person, sentence (both, a sentence where items have texts)",
    )
    add(
        "--encoders",
        type=_arguments.words,
        default=(),
        metavar="A,B",
        help="what may read texts: int8, int8 static, pruned, 3 layers, table (made here, with torch), a registered "
        "encoder, a folder, or none; default: all that this machine can make",
    )
    add("--teacher", default="", metavar="SOURCE", help="the transformer that students are made from: a folder or name")
    add("--study", default="", metavar="DIR", help="the folder that keeps what was made (out/compress/BUNDLE)")
    add("--seed", type=int, default=0, metavar="N", help="where randomness comes from (0)")
    add("--json", metavar="FILE", help="write everything measured as JSON")
    add("--report", metavar="FILE.html", help="write a page with the frontier as a table and a plot")


def run(args: argparse.Namespace) -> int:
    """Walk the choices, show the frontier, write the best that meets both limits."""
    from inkling.compression.search import Limits

    _check(args)
    _check_place(args.out)
    limits = Limits(args.budget_ms, args.keep)
    until = time.perf_counter() + 60 * args.minutes if args.minutes > 0 else math.inf
    with _screen.progress() as progress:
        surroundings = Run(seed=args.seed, progress=progress, n_threads=os.cpu_count() or 1)
        work = _prepared(args, surroundings)
        found, chosen = _walked(work, limits, until)
    outcome = _outcome(args, limits, found, chosen, work)
    _tell(args, outcome)
    if chosen is None:
        raise _refusal(outcome)
    made = _labelled(work.make(chosen.choice), work.bundle, chosen)
    made.write(Path(args.out))
    _screen.out().print(_summary(args.out, chosen, work.base), markup=False, soft_wrap=True)
    return 0


def _check(args: argparse.Namespace) -> None:
    if args.budget_ms <= 0:
        raise ConfigError(f"--budget-ms is {args.budget_ms:g}, expected more than 0.", hint="For example 2.")
    if not 0 < args.keep <= 1:
        raise ConfigError(f"--keep is {args.keep:g}, expected above 0 and at most 1.", hint="For example 0.99.")
    if args.minutes < 0:
        raise ConfigError(f"--minutes is {args.minutes:g}, expected 0 or more.")
    if unknown := [name for name in args.questions if name not in _QUESTIONS]:
        raise ConfigError(f"--questions: there is no '{unknown[0]}'.", hint=f"Allowed: {', '.join(_QUESTIONS)}.")
    for flag, text in (("--json", args.json), ("--report", args.report)):
        if text and Path(text).is_dir():
            raise ConfigError(f"{flag}: '{text}' is a folder, expected a file.", hint="Name a file in it.")


def _prepared(args: argparse.Namespace, run: Run) -> Compressing:
    """Return the bundle's choices, its twin fitted."""
    from inkling.engine.bundle import Bundle
    from inkling.engine.compressing import Compressing

    if not _inputs.is_bundle(args.bundle):
        raise BundleError(f"There is no bundle '{args.bundle}'.", hint="Make one: `inkling fit DATA --out BUNDLE`.")
    bundle = Bundle.read(Path(args.bundle))
    study = Path(args.study or Path("out") / "compress" / Path(args.bundle).resolve().name)
    kinds = tuple(_QUESTIONS[name] for name in args.questions)
    work = Compressing(bundle, study, run, kinds=kinds, minutes=_TWIN_SHARE * args.minutes)
    work.encoders = _encoders(args, work)
    return work


def _encoders(args: argparse.Namespace, work: Compressing) -> Mapping[str, Callable[[], str]]:
    """Return what may read texts, by name: made here, registered, or in a folder."""
    from inkling.encoders import ENCODERS
    from inkling.engine.students import NAMES, Students, teacher_of

    if args.encoders == (NONE,) or not any(work.bundle.base.items.texts()):
        return {}
    own = str(work.bundle.state.settings["config"]["encoder"])
    teacher = args.teacher or teacher_of(own)
    wanted = args.encoders or (*(NAMES if teacher else ()), *(name for name in _REGISTERED if name != own))
    made = tuple(name for name in wanted if name in NAMES)
    if made and not teacher:
        raise ConfigError(
            f"'{made[0]}' is made from a transformer, and the bundle does not say which.",
            hint="Name it with --teacher: a folder, a name, or minilm; it needs pip install 'inkling[train]'.",
        )
    minutes = _STUDENT_SHARE * args.minutes
    students = Students(teacher, work.fold.train, work.study / "encoders", work.run, minutes, made)
    others = {name: name for name in wanted if name not in NAMES}
    for name in others:
        if name not in ENCODERS.names() and not Path(name).is_dir():
            raise ConfigError(
                f"--encoders: '{name}' is neither made here, nor registered, nor a folder.",
                hint=f"Made here: {', '.join(NAMES)}; registered: {', '.join(ENCODERS.names())}; or {NONE}.",
            )
    return {**students.makers(), **{name: partial(str, source) for name, source in others.items()}}


def _walked(work: Compressing, limits: Limits, until: float) -> tuple[list[Measured], Measured | None]:
    """Return everything measured, and the best that meets both limits when it is weighed once more."""
    from inkling.compression.search import ranked, walk

    found = walk(work.axes(), work.judge, limits, run=work.run, deadline=until)
    for one in ranked(found, limits)[:_CONFIRMED]:
        again = work.confirmed(one)
        found[found.index(one)] = again
        if limits.meets(again):
            return found, again
    return found, None


def _outcome(
    args: argparse.Namespace, limits: Limits, found: Sequence[Measured], chosen: Measured | None, work: Compressing
) -> Outcome:
    from inkling.cli._frontier import Outcome
    from inkling.compression.search import nearest

    near = None if chosen else nearest(found, limits)
    return Outcome.of(Path(args.bundle).name, limits, found, (chosen, near), work.passed_over)


def _tell(args: argparse.Namespace, outcome: Outcome) -> None:
    from inkling.cli._frontier import render, show

    show(_screen.out(), outcome)
    for place, content in ((args.json, outcome.to_json), (args.report, lambda: render(outcome).encode())):
        if place:
            Path(place).parent.mkdir(parents=True, exist_ok=True)
            Path(place).write_bytes(content())
            _screen.note(f"Wrote {place}")


def _refusal(outcome: Outcome) -> InklingError:
    near, limits = outcome.nearest, outcome.limits
    asked = f"at most {limits.budget_ms:g} ms and at least {100 * limits.keep:g}% of the quality"
    if near is None:
        return InklingError(f"Nothing could be measured, so nothing is known to take {asked}. Nothing was written.")
    return InklingError(
        f"None of {len(outcome.measured)} choices meets both limits, {asked}. Nothing was written.",
        hint=f"The nearest is '{near.name}': {near.ms:.2f} ms, {100 * near.kept:.1f}%. "
        f"It is written with --budget-ms {_up(near.ms):g} --keep {min(_down(near.kept), limits.keep):g}.",
    )


def _up(ms: float) -> float:
    return math.ceil(ms * 11) / 10


def _down(kept: float) -> float:
    return max(math.floor(kept * 1000) / 1000, 0.001)


def _labelled(made: Bundle, of: Bundle, chosen: Measured) -> Bundle:
    """Return the bundle with a note of what it was made from, and what was measured."""
    from inkling.engine.twin import ANSWERS

    note = {"of": of.id, "choice": chosen.choice, "kept": chosen.kept, "ms": chosen.ms}
    state = replace(made.state, settings={**made.state.settings, "compressed": note})
    return replace(made, state=state, quality={made.pipeline_name: chosen.qualities[ANSWERS]})


def _summary(out: str, chosen: Measured, base: Measured | None) -> str:
    said = f"Saved as {out}: {chosen.name}; {chosen.ms:.2f} ms, {100 * chosen.kept:.1f}% of the quality"
    if base is None or base.name == chosen.name:
        return f"{said}."
    return (
        f"{said}; before: {base.ms:.2f} ms. {base.size_bytes / 1e6:,.1f} MB on disk are now "
        f"{chosen.size_bytes / 1e6:,.1f}, {base.memory_bytes / 1e6:,.0f} MB resident {chosen.memory_bytes / 1e6:,.0f}."
    )
