"""What is kept of each task, model and seed, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

PROTOCOL = ("fingerprint", "train_fingerprint")


@dataclass(frozen=True)
class Result:
    """One model on one task with one seed.

    Attributes:
        about: Everything that is no array; ``protocol`` says what was measured.
        values: Group -> the people (N,) and their metrics (N, M), named by ``about["metrics"]``.
    """

    about: Mapping[str, Any]
    values: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Place:
    """Where a result lies."""

    out: Path
    task: str
    model: str
    seed: int

    @property
    def folder(self) -> Path:
        """Return the folder of the task."""
        return self.out / "quality" / self.task

    @property
    def json(self) -> Path:
        """Return the file of the result; it is written last, so what it names is whole."""
        return self.folder / f"{self.model}.{self.seed}.json"

    @property
    def arrays(self) -> Path:
        """Return the file of the people's values."""
        return self.folder / f"{self.model}.{self.seed}.npz"

    @property
    def settings(self) -> Path:
        """Return the file of the settings that all seeds share."""
        return self.folder / f"{self.model}.settings.json"


def write(place: Place, result: Result) -> None:
    """Keep a result."""
    arrays = {
        f"{group}|{what}": array
        for group, pair in result.values.items()
        for what, array in zip(("rows", "values"), pair, strict=True)
    }
    _whole(place.arrays, lambda stream: np.savez_compressed(stream, **arrays))
    _whole(place.json, lambda stream: stream.write(json.dumps(dict(result.about), indent=1).encode()))


def read(place: Place) -> Result | None:
    """Return a result; None where it was not measured yet."""
    if not place.json.is_file() or not place.arrays.is_file():
        return None
    with np.load(place.arrays, allow_pickle=False) as found:
        groups = dict.fromkeys(name.split("|")[0] for name in found.files)
        values = {group: (found[f"{group}|rows"], found[f"{group}|values"]) for group in groups}
    return Result(json.loads(place.json.read_bytes()), values)


def write_settings(place: Place, settings: Mapping[str, Mapping[str, Any]], tuned_s: float) -> None:
    """Keep what was chosen on validation: fold -> settings, and the seconds that it took."""
    said = {"settings": {fold: dict(chosen) for fold, chosen in settings.items()}, "tune_s": tuned_s}
    _whole(place.settings, lambda stream: stream.write(json.dumps(said, indent=1).encode()))


def read_settings(place: Place) -> tuple[dict[str, dict[str, Any]], float]:
    """Return the settings chosen before and the seconds that took; none where nothing was chosen yet."""
    if not place.settings.is_file():
        return {}, 0.0
    found = json.loads(place.settings.read_bytes())
    return found["settings"], found["tune_s"]


def forget(place: Place) -> None:
    """Remove a result and its settings, so that it is measured again."""
    for path in (place.json, place.arrays, place.settings):
        path.unlink(missing_ok=True)


def agreeing(results: Iterable[Result]) -> list[Result]:
    """Return the results that were measured as the newest of them was: on the same targets and training part."""
    found = list(results)
    if not found:
        return []
    newest = max(found, key=lambda result: str(result.about["machine"]["when"]))
    return [result for result in found if _prints(result) == _prints(newest)]


def _prints(result: Result) -> tuple[str, ...]:
    return tuple(result.about["protocol"][name] for name in PROTOCOL)


def _whole(path: Path, fill: Callable[[BinaryIO], Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    with beside.open("wb") as stream:
        fill(stream)
    beside.replace(path)
