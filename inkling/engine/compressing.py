"""A bundle's choices, made and judged: quality on its twin of the past, cost on the bundle itself. Nothing is lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from inkling.compression.search import AS_IS, Axis, Choice, Measured, choice_name
from inkling.core.errors import BundleError, DataError, InklingError
from inkling.core.run import Run
from inkling.engine import taught
from inkling.engine.bundle import Bundle
from inkling.engine.pipeline import MemberReport
from inkling.engine.reencoding import with_encoder
from inkling.engine.smaller import pipeline_of, size_bytes, with_candidates, without_members, without_rereading
from inkling.engine.texts import stamp
from inkling.engine.twin import ANSWERS, TEXTS, Judgement, agreement, fit_twin, held_out, judge
from inkling.engine.weighing import PERSON, TEXT, Weighed, weigh
from inkling.protocol.intervals import compare

ENCODER, RANKER, CANDIDATES, READING, MEMBER = "encoder", "ranker", "candidates", "reading again", "member"
LEFT_OUT = "left out"
NEIGHBOURS = "same neighbours"
KINDS = (PERSON, TEXT)
_COSTLY_MS = 0.02
_MOST_MEMBERS = 6
_FEWEST = 20

Maker = Callable[[], str]
"""Makes an encoder and returns its folder, or a registered name."""
Weigh = Callable[[Path], Weighed]


class _Row(msgspec.Struct, frozen=True):
    """One line of the file of what was measured."""

    of: str
    measured: Measured


@dataclass
class Compressing:
    """Makes choices of one bundle and judges them, keeping each judgement in a folder.

    Attributes:
        bundle: What is made smaller.
        study: The folder that keeps the twin, the encoders and what was measured; a later call goes on there.
        run: Seed, threads, progress.
        encoders: Name -> what makes the encoder; asked for when it is first needed.
        kinds: Kinds of questions that the budget is about.
        minutes: Limit of the twin's fit; 0 is none.
        weigh: What a written bundle costs.
        passed_over: Changes that could not be made, each with its reason.
    """

    bundle: Bundle
    study: Path
    run: Run
    encoders: Mapping[str, Maker] = field(default_factory=dict)
    kinds: Sequence[str] = KINDS
    minutes: float = 0.0
    weigh: Weigh = field(default_factory=lambda: weigh)
    passed_over: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pipeline = pipeline_of(self.bundle)
        self._made: dict[str, str] = {}
        self.fold = held_out(self.bundle, self.run)
        self.twin = self._twin()
        self._base: Judgement | None = None

    # -- the twin and what was measured before ---------------------------------------------------------------------

    @property
    def _key(self) -> str:
        """Return what measurements are of: the bundle, the seed, the kinds of questions, encoders that may change."""
        folders = [f"{name}@{stamp(name)}" for name in self.encoders if stamp(name)]
        return ":".join([self.bundle.id, str(self.run.seed), *self.kinds, *folders])

    def _twin(self) -> Bundle:
        place = self.study / f"twin-{self.bundle.id}-{self.run.seed}"
        if place.is_dir():
            try:
                return Bundle.read(place)
            except BundleError as error:
                self.run.log.warning("The twin in %s is made anew: %s", place, error)
                shutil.rmtree(place, ignore_errors=True)
        twin = fit_twin(self.bundle, self.fold, self.run, minutes=self.minutes)
        twin.write(place)
        return twin

    @property
    def _file(self) -> Path:
        return self.study / "measured.jsonl"

    @cached_property
    def _known(self) -> dict[str, Measured]:
        """Return what was measured before; a line that a killed process left half written is passed over."""
        found: dict[str, Measured] = {}
        lines = self._file.read_bytes().splitlines() if self._file.is_file() else []
        for line in lines:
            try:
                row = msgspec.json.decode(line, type=_Row)
            except msgspec.MsgspecError:
                continue
            if row.of == self._key:
                found[row.measured.name] = row.measured
        return found

    def _keep(self, measured: Measured) -> None:
        self._known[measured.name] = measured
        self.study.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            if file.tell() and not self._file.read_bytes().endswith(b"\n"):
                file.write(b"\n")
            file.write(msgspec.json.encode(_Row(self._key, measured)) + b"\n")

    # -- what can be changed ---------------------------------------------------------------------------------------

    def axes(self) -> tuple[Axis, ...]:
        """Return what can be changed of this bundle, and what it can become; what takes longest to make comes last."""
        found = []
        if orders := self._orders():
            found.append(Axis(RANKER, orders))
        n = self._pipeline.config.n_candidates
        fewer = tuple(str(n // part) for part in (2, 4) if n // part >= _FEWEST)
        if fewer:
            found.append(Axis(CANDIDATES, fewer))
        if self._pipeline._rereader is not None:
            found.append(Axis(READING, (LEFT_OUT,)))
        found += [Axis(f"{MEMBER} {name}", (LEFT_OUT,)) for name in self._dear_members()]
        return (*found, Axis(ENCODER, tuple(self.encoders))) if self.encoders else tuple(found)

    def _orders(self) -> tuple[str, ...]:
        order = self._pipeline._choice.order
        if order == "fused":
            return ()
        if order == taught.STUDENT:
            return (taught.FUSED,)
        trees = (taught.HALF, taught.QUARTER) if order == "gbdt" else ()
        return (*trees, taught.NETWORK, taught.FUSED)

    def _dear_members(self) -> list[str]:
        """Return members that cost time, those first that cost most for what they add."""
        members = self._pipeline.report().members
        there = [member for member in members if member.ms >= _COSTLY_MS and member.name in self._members]
        return [member.name for member in sorted(there, key=_worth)][:_MOST_MEMBERS] if len(self._members) > 1 else []

    @property
    def _members(self) -> Sequence[str]:
        return tuple(self._pipeline._recall.members)

    # -- making ----------------------------------------------------------------------------------------------------

    def make(self, choice: Choice, of: Bundle | None = None) -> Bundle:
        """Return a bundle (this one's own, or its twin's) as a choice has it.

        Raises:
            ConfigError: The choice cannot be made of this bundle.
            DataError: Something that it needs is not there.
            MissingExtraError: It needs torch, which is not installed.
        """
        whole = of or self.bundle
        found = whole
        if name := choice.get(ENCODER):
            found = with_encoder(found, self._encoder(name), self.run, name=_file_name(name))
        if READING in choice:
            found = without_rereading(found)
        members = [axis.removeprefix(f"{MEMBER} ") for axis in choice if axis.startswith(f"{MEMBER} ")]
        if members:
            found = without_members(found, members)
        if n := choice.get(CANDIDATES):
            found = with_candidates(found, int(n))
        kind = choice.get(RANKER)
        return taught.with_order(found, kind, whole, self.run) if kind else found

    def _encoder(self, name: str) -> str:
        if name not in self._made:
            self._made[name] = self.encoders[name]()
        return self._made[name]

    # -- judging ---------------------------------------------------------------------------------------------------

    def judge(self, choice: Choice) -> Measured | None:
        """Return what a choice is worth and costs; None where it cannot be made, with its reason noted."""
        name = choice_name(choice)
        if name in self._known:
            return self._known[name]
        try:
            measured = self._measured(choice)
        except InklingError as error:
            if not choice:
                raise
            if len(choice) < 2:  # of several changes each could be made alone: only together they cannot
                self.passed_over[name] = str(error)
            return None
        self._keep(measured)
        return measured

    def _measured(self, choice: Choice) -> Measured:
        base = self._judged_base()
        found = base if not choice else judge(self.make(choice, self.twin), self.fold)
        kept, low = self._kept(found, base, texts=ENCODER in choice)
        weighed, size = self.weighed(self.make(choice))
        same = {NEIGHBOURS: agreement(found, base)} if ENCODER in choice else {}
        return Measured(
            choice=dict(choice),
            kept=kept,
            kept_low=low,
            qualities={**found.means(), **same},
            ms=slowest(weighed, self.kinds)[1],
            p50_ms=slowest(weighed, self.kinds)[0],
            latency=weighed.latency,
            size_bytes=size,
            memory_bytes=weighed.memory_bytes,
            items_per_s=weighed.items_per_s,
        )

    def _judged_base(self) -> Judgement:
        if self._base is None:
            self._base = judge(self.twin, self.fold)
        return self._base

    def _kept(self, found: Judgement, base: Judgement, *, texts: bool) -> tuple[float, float]:
        """Return the least share of quality that is kept, and the lower end of its interval.

        Where another encoder reads, likeness of texts alone counts beside the whole answers: answers to sentences rest
        on it, and the members that know people better would cover for it here.
        """
        shares = []
        for name in (ANSWERS, TEXTS) if texts else (ANSWERS,):
            if name in base.values and base.values[name].any():
                ratio = compare(found.values[name], base.values[name], self.fold.user_rows).ratio
                shares.append((ratio.mean, ratio.low))
        if not shares:
            raise DataError(
                "The bundle's twin finds nothing of what people took in the newest window, so nothing can be compared.",
                hint="Fit it on more events.",
            )
        return min(shares)

    def weighed(self, made: Bundle) -> tuple[Weighed, int]:
        """Return what a bundle costs, and its size on disk."""
        place = self.study / "candidate"
        try:
            made.write(place)
            return self.weigh(place), size_bytes(made)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def confirmed(self, measured: Measured) -> Measured:
        """Return a choice weighed once more, with the slower of both times: the fastest of many was lucky, too."""
        weighed, size = self.weighed(self.make(measured.choice))
        again = msgspec.structs.replace(
            measured,
            ms=max(slowest(weighed, self.kinds)[1], measured.ms),
            p50_ms=max(slowest(weighed, self.kinds)[0], measured.p50_ms),
            latency=weighed.latency,
            size_bytes=size,
            memory_bytes=weighed.memory_bytes,
            items_per_s=weighed.items_per_s,
        )
        self._keep(again)
        return again

    @property
    def base(self) -> Measured | None:
        """Return the bundle as it is, once it was measured."""
        return self._known.get(AS_IS)


def slowest(weighed: Weighed, kinds: Sequence[str]) -> tuple[float, float]:
    """Return p50 and p99 of the slowest kind of question, each of its own.

    Raises:
        DataError: None of the kinds could be asked.
    """
    found = [weighed.latency[kind] for kind in kinds if kind in weighed.latency]
    if not found:
        raise DataError(
            f"None of the questions ({', '.join(kinds)}) can be asked of this bundle.",
            hint="A sentence needs items with texts.",
        )
    return max(p50 for p50, _ in found), max(p99 for _, p99 in found)


def _worth(member: MemberReport) -> float:
    return max(member.weight, 0.05) / max(member.ms, 1e-6)


def _file_name(name: str) -> str:
    return "-".join(name.split())
