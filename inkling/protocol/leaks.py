"""Nothing that saw the future may be measured on it."""

from __future__ import annotations

from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.errors import LeakError


class Provenance(Config, frozen=True, kw_only=True):
    """What an artefact (a model, an adapted encoder, a profile, an embedding of reviews) was made from."""

    name: str
    """What the artefact is, for the message."""
    trained_until: int | None = None
    """The last instant (epoch milliseconds or position) that it saw; None where it saw no event at all."""
    fingerprint: str = ""
    """Fingerprint of the events that it saw; empty where it saw none."""


def refuse(artefact: Provenance, train: Dataset, *, cut: int, by_time: bool = True) -> None:
    """Let an artefact pass that saw nothing beyond the training part, and refuse any other.

    Args:
        artefact: What it was made from.
        train: The training part that it is to be measured with.
        cut: The last instant that may be known.
        by_time: Whether what happened up to ``cut`` is all training part. It is not under loo, random, given and
            cold: there an artefact must come from the very same training part.

    Raises:
        LeakError: The artefact saw an event after the cut or outside the training part, or does not say what it saw.
    """
    if artefact.trained_until is None and not artefact.fingerprint:
        return
    if artefact.fingerprint and artefact.fingerprint == train.fingerprint:
        return
    if artefact.trained_until is None:
        raise LeakError(
            f"{artefact.name} saw events but does not say until when.",
            hint="Make it again inside the split; artefacts record trained_until and a fingerprint.",
        )
    if artefact.trained_until > cut:
        raise LeakError(
            f"{artefact.name} was made from events up to {artefact.trained_until}, after the cut at {cut}.",
            hint="Fit it inside the split, or measure at a later cut.",
        )
    if not by_time:
        raise LeakError(
            f"{artefact.name} was made from other events than this training part, and the split is not one by time.",
            hint="Fit it inside the split.",
        )
