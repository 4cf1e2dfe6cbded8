"""Who sees which arm: a hash decides, so nothing needs to be stored, and every worker and every restart agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from inkling.experiments.plan import Arm, Experiment, Plan, layer_of

_SCALE = 2.0**-53


@dataclass(frozen=True, slots=True)
class Assigned:
    """One experiment's arm for one person, with the chance that they had to see it."""

    experiment: str
    arm: Arm
    propensity: float
    """Chance of this arm among those who take part; 1 where it was named by an override."""
    overridden: bool = False

    @property
    def name(self) -> str:
        """Return what answers call it: ``experiment:arm``."""
        return f"{self.experiment}:{self.arm.name}"


@dataclass(frozen=True, slots=True)
class Treatment:
    """All arms of one person, and what they come to."""

    assigned: tuple[Assigned, ...] = ()
    bundle: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def arm(self) -> str:
        """Return the arms by name, joined by commas; empty for who takes part in nothing."""
        return ",".join(one.name for one in self.assigned)

    @property
    def propensity(self) -> float:
        """Return the chance of all these arms together."""
        chance = 1.0
        for one in self.assigned:
            chance *= one.propensity
        return chance

    @property
    def overridden(self) -> bool:
        """Return whether an override decided anything: such answers belong in no comparison."""
        return any(one.overridden for one in self.assigned)


NOBODY = Treatment()


def position(salt: str, unit: str) -> float:
    """Return where a unit stands in [0, 1) under a salt: uniform over units, independent between salts."""
    digest = blake2b(f"{salt}\x1f{unit}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return (int.from_bytes(digest, "little") >> 11) * _SCALE


def assign(plan: Plan, *, user_id: str | None, session_id: str | None = None) -> Treatment:
    """Return what a person sees; the same for as long as the plan's salts and weights stay."""
    found = []
    for experiment in plan.experiments:
        unit = unit_of(experiment, user_id, session_id)
        if unit and (one := arm_of(experiment, unit)) is not None:
            found.append(one)
    return _combined(_one_of_each_layer(plan, found)) if found else NOBODY


def _one_of_each_layer(plan: Plan, found: Sequence[Assigned]) -> list[Assigned]:
    """Leave one experiment of each layer: an override goes over what the hash says of another experiment."""
    layers = {experiment.name: layer_of(experiment) for experiment in plan.experiments}
    chosen: dict[str, Assigned] = {}
    for one in sorted(found, key=lambda each: not each.overridden):
        chosen.setdefault(layers[one.experiment], one)
    return [one for one in found if chosen[layers[one.experiment]] is one]


def together(pairs: Sequence[tuple[Experiment, Arm]]) -> Treatment:
    """Return what several arms come to."""
    return _combined([Assigned(experiment.name, arm, 1.0) for experiment, arm in pairs])


def _combined(found: Sequence[Assigned]) -> Treatment:
    settings: dict[str, Any] = {}
    for one in found:
        settings.update(one.arm.settings)
    return Treatment(tuple(found), next((one.arm.bundle for one in found if one.arm.bundle), ""), settings)


def logged(treatment: Treatment) -> dict[str, Any] | None:
    """Return what an impression keeps for the verdict beside the arm; None for who takes part in nothing."""
    if not treatment.assigned:
        return None
    return {"propensity": treatment.propensity, **({"overridden": True} if treatment.overridden else {})}


def sealed(unit: str) -> str:
    """Return what stands for a person or session where their id must not be kept."""
    return "#" + blake2b(unit.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def unit_of(experiment: Experiment, user_id: str | None, session_id: str | None) -> str:
    """Return whose hash decides: the person's or the session's; empty where neither is known."""
    first, second = (user_id, session_id) if experiment.by == "person" else (session_id, user_id)
    return first or second or ""


def _override(experiment: Experiment, unit: str) -> str | None:
    if not experiment.overrides:
        return None
    return experiment.overrides.get(unit, experiment.overrides.get(sealed(unit)))


def arm_of(experiment: Experiment, unit: str) -> Assigned | None:
    """Return a unit's arm; None where it takes no part.

    Two hashes: one says whether the unit takes part, the other which arm it sees, so that a share that grows moves
    nobody who is in.
    """
    name = _override(experiment, unit)
    if name is not None:
        return Assigned(experiment.name, experiment.arm(name), 1.0, overridden=True) if name else None
    begin = experiment.begin
    if not begin <= position(layer_of(experiment), unit) < begin + experiment.share:
        return None
    total = sum(arm.weight for arm in experiment.arms)
    at = position(f"{experiment.salt or experiment.name}\x1farm", unit) * total
    for arm in experiment.arms[:-1]:
        if at < arm.weight:
            return Assigned(experiment.name, arm, arm.weight / total)
        at -= arm.weight
    last = experiment.arms[-1]
    return Assigned(experiment.name, last, last.weight / total)
