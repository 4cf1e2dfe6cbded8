"""What is tried on whom: experiments and their arms as plain configuration."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from inkling.core.config import Config, parse, read_toml
from inkling.core.errors import ConfigError, nearest

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Part = Annotated[float, msgspec.Meta(ge=0, le=1)]
_EDGE = 1e-9


class Arm(Config, frozen=True, kw_only=True):
    """One of the things that are compared."""

    name: Name
    """What answers, impressions and metrics call it."""
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    """Its share of the experiment's traffic, beside the weights of the other arms."""
    bundle: str = ""
    """A bundle to answer with: a folder, or a name in the folder of bundles; empty is the one that is served."""
    settings: dict[str, Any] = {}
    """Settings of the pipeline to answer with, over those of the bundle; dots lead into a table."""


class Experiment(Config, frozen=True, kw_only=True):
    """A share of the traffic, dealt out to arms."""

    name: Name
    """What it is called; also its salt, unless one is given."""
    arms: Annotated[tuple[Arm, ...], msgspec.Meta(min_length=1)]
    """What is compared; the first is usually the control."""
    share: Part = 1.0
    """How much of the traffic takes part. Growing it keeps everybody who is in, and their arm."""
    by: Literal["person", "session"] = "person"
    """Whose hash decides; where the one is not known, the other."""
    salt: str = ""
    """Another salt deals anew; empty takes the name."""
    layer: str = ""
    """Experiments of one layer share its traffic and never meet in one person; empty is a layer of its own."""
    begin: Part = 0.0
    """Where in its layer the share begins: from ``begin`` to ``begin + share``."""
    overrides: dict[str, str] = {}
    """Person or session -> arm, or an empty text to keep them out: for testers. They count for no verdict."""

    def arm(self, name: str) -> Arm:
        """Return an arm by its name.

        Raises:
            ConfigError: There is none.
        """
        for arm in self.arms:
            if arm.name == name:
                return arm
        known = [arm.name for arm in self.arms]
        raise ConfigError(f"The experiment '{self.name}' has no arm '{name}'.", hint=nearest(name, known))


class Plan(Config, frozen=True, kw_only=True):
    """All experiments that run at once."""

    experiments: tuple[Experiment, ...] = ()
    """Each deals out its own traffic, independently of those in other layers."""


def read_plan(given: str | Path | Mapping[str, Any] | Plan) -> Plan:
    """Return a plan from a TOML file, from plain data, or as it is, checked.

    Raises:
        ConfigError: A key is unknown, a value is out of range, or experiments contradict each other.
    """
    if isinstance(given, Plan):
        plan = given
    elif isinstance(given, Mapping):
        plan = parse(Plan, given, where="experiments")
    else:
        path = Path(given)
        if not path.is_file():
            raise ConfigError(f"There is no file of experiments '{path}'.", hint="Write one; see docs/experiments.md.")
        plan = read_toml(Plan, path)
    check(plan)
    return plan


def plan_row(plan: Plan) -> dict[str, Any]:
    """Return a plan as plain data for the log."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(plan))
    return plain


def check(plan: Plan) -> None:
    """Refuse a plan that contradicts itself.

    Raises:
        ConfigError: A name comes twice, an override names no arm, shares of one layer overlap, or two layers could
            give one person two bundles or two values of one setting.
    """
    names = [experiment.name for experiment in plan.experiments]
    _once(names, "experiments")
    for experiment in plan.experiments:
        _once([arm.name for arm in experiment.arms], f"arms of '{experiment.name}'")
        for arm in experiment.overrides.values():
            if arm:
                experiment.arm(arm)
    _check_layers(plan)
    _check_meetings(plan)


def _once(names: list[str], what: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigError(f"Two {what} are named '{twice[0]}'.", hint="Give each a name of its own.")


def _check_layers(plan: Plan) -> None:
    layers: dict[str, list[Experiment]] = {}
    for experiment in plan.experiments:
        if experiment.begin + experiment.share > 1 + _EDGE:
            raise ConfigError(
                f"The experiment '{experiment.name}' ends at {experiment.begin + experiment.share:g} of its layer.",
                hint="begin + share must be at most 1.",
            )
        layers.setdefault(layer_of(experiment), []).append(experiment)
    for layer, members in layers.items():
        ordered = sorted(members, key=lambda one: one.begin)
        for one, other in pairwise(ordered):
            if one.begin + one.share > other.begin + _EDGE:
                raise ConfigError(
                    f"'{one.name}' and '{other.name}' overlap in the layer '{layer}'.",
                    hint=f"Let '{other.name}' begin at {one.begin + one.share:g} or later, or lower a share.",
                )
        if len({one.by for one in members}) > 1:
            raise ConfigError(
                f"The layer '{layer}' is dealt out by persons and by sessions.", hint="Choose one ``by`` for a layer."
            )


def _check_meetings(plan: Plan) -> None:
    """Two experiments that one person may be in must not both say the same thing."""
    owners: dict[str, Experiment] = {}
    for experiment in plan.experiments:
        said = {"bundle" for arm in experiment.arms if arm.bundle}
        said |= {f"settings.{key}" for arm in experiment.arms for key in arm.settings}
        for what in sorted(said):
            other = owners.setdefault(what, experiment)
            if other is not experiment and layer_of(other) != layer_of(experiment):
                raise ConfigError(
                    f"'{other.name}' and '{experiment.name}' both change {what}, and one person may be in both.",
                    hint="Put them into one layer.",
                )


def layer_of(experiment: Experiment) -> str:
    """Return the salt that says who takes part: the layer's, else the experiment's own."""
    return experiment.layer or (experiment.salt or experiment.name)
