"""The memory of a search: every trial in one journal of JSON lines, each on disk before the search goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, TextIO

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState

from inkling.core.errors import ConfigError, StoreError
from inkling.core.space import Choice, Real, Whole
from inkling.evaluation.contenders import Settings
from inkling.evaluation.tuning.importance import importances
from inkling.evaluation.tuning.models import Searched
from inkling.evaluation.tuning.output import ModelTune, State, TrialReport
from inkling.evaluation.tuning.pruning import FOLDS_FROM, MedianByTrack

TRIALS, ABOUT, LOCK = "trials.jsonl", "study.json", "lock"
_STATES: dict[TrialState, State] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "unfinished",
}


class Folder:
    """A study's folder: the trials, what they are about, and a lock that ends with the process that holds it."""

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        """Open or make the folder.

        Raises:
            StoreError: Another process is at work in it.
            ConfigError: Its trials are about other data or another measurement.
        """
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(path / LOCK)
        try:
            _check(path / ABOUT, json.loads(json.dumps(about)))
        except ConfigError:
            self._lock.close()
            raise
        _mend(path / TRIALS)
        self._storage = JournalStorage(JournalFileBackend(str(path / TRIALS), lock_obj=_Alone(str(path / TRIALS))))

    def study(self, model: Searched, *, seed: int) -> ModelStudy:
        """Return one model's trials, those of earlier processes included."""
        return ModelStudy(model, self._storage, seed=seed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()


class _Alone(JournalFileOpenLock):
    """No lock: the folder's own lets one process in, and unlike Optuna's it cannot outlive a killed one."""

    def acquire(self) -> bool:
        """Say yes."""
        return True

    def release(self) -> None:
        """Do nothing."""


def _mend(path: Path) -> None:
    """Cut off a last line that a killed process left half written."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)


def _check(path: Path, about: dict[str, Any]) -> None:
    if not path.exists():
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(about, indent=2), encoding="utf-8")
        beside.replace(path)
        return
    known = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(key for key in {*known, *about} if known.get(key) != about.get(key))
    if changed:
        raise ConfigError(
            f"The study in '{path.parent}' is about another measurement: {', '.join(changed)} differ.",
            hint="Name another folder with --study, or ask as before.",
        )


def _locked(path: Path) -> TextIO:
    file = path.open("a", encoding="utf-8")
    if os.name == "posix":
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise StoreError(
                f"Another process is at work in the study '{path.parent}'.",
                hint="Wait for it, or name another --study.",
            ) from error
    return file


class ModelStudy:
    """The trials of one model, in the order in which they are tried."""

    def __init__(self, model: Searched, storage: Any, *, seed: int) -> None:
        """Open the trials; those that a killed process left unfinished are queued again, with their settings."""
        self.model = model
        self._study = self._opened(model.name, storage, seed)
        self._resume()
        for settings in () if self._trials() else model.given:
            self._queue(self._inside(settings), given=dict(settings))

    def _opened(self, name: str, storage: Any, seed: int) -> Study:
        known = {summary.study_name: summary.n_trials for summary in optuna.get_all_study_summaries(storage=storage)}
        # With the seed alone, a search that goes on would draw again what it drew at first.
        sampler = optuna.samplers.TPESampler(seed=seed + 7919 * known.get(name, 0), n_startup_trials=8)
        return optuna.create_study(
            storage=storage,
            study_name=name,
            direction="maximize",
            sampler=sampler,
            pruner=MedianByTrack(),
            load_if_exists=True,
        )

    def _trials(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _resume(self) -> None:
        for trial in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self._study.tell(trial.number, state=TrialState.FAIL)
            self._again(trial)

    def _again(self, trial: FrozenTrial) -> None:
        kept = {"given": trial.user_attrs["given"]} if "given" in trial.user_attrs else {}
        self._queue({**trial.user_attrs.get("fixed", {}), **trial.params}, **kept, retry_of=trial.number)

    def _queue(self, params: dict[str, Any], **about: Any) -> None:
        """Have these settings tried next; the trial itself says so, since a killed process may leave it half asked."""
        self._study.enqueue_trial(params, user_attrs={**about, "fixed": params})

    def _inside(self, settings: Settings) -> dict[str, Any]:
        """Return the searched settings among ``settings``, where they lie in their ranges: what the search learns."""
        whole = flattened(self.model.settings(settings))
        values = {key: whole[key] for key in self.model.space if key in whole}
        return {key: coded(self.model.space[key], v) for key, v in values.items() if holds(self.model.space[key], v)}

    @property
    def n_done(self) -> int:
        """Return how many trials ended by themselves: finished, pruned, or failed for a reason of their own."""
        return sum(told(trial) not in ("unfinished", None) for trial in self._trials())

    @property
    def seconds(self) -> float:
        """Return what all trials took."""
        return sum(float(trial.user_attrs.get("seconds", 0.0)) for trial in self._trials())

    @property
    def exhausted(self) -> bool:
        """Tell whether nothing is left to try: no space, and no settings waiting."""
        waiting = self._study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        return not self.model.space and not waiting

    def failing(self, n: int) -> bool:
        """Tell whether the last ``n`` trials that ended all failed, and none ever finished."""
        ended = [found for trial in self._trials() if (found := told(trial)) not in ("unfinished", None)]
        return "finished" not in ended and ended[-n:] == ["failed"] * n

    def ask(self) -> tuple[Trial, dict[str, Any]]:
        """Return the next trial and what it changes of the model's settings."""
        trial = self._study.ask()
        given = trial.user_attrs.get("given")
        fixed = trial.user_attrs.get("fixed", {})
        names = self.model.space if given is None else [key for key in self.model.space if key in fixed]
        found = {key: drawn(trial, key, self.model.space[key]) for key in names}
        return trial, found if given is None else dict(given)

    def tell(self, trial: Trial, value: float | None, *, seconds: float, reason: str = "") -> None:
        """Keep how a trial ended: with a value, or failed for a reason."""
        trial.set_user_attr("seconds", seconds)
        if value is None:
            trial.set_user_attr("reason", reason)
        self._study.tell(trial, value, state=TrialState.FAIL if value is None else TrialState.COMPLETE)

    def prune(self, trial: Trial, *, seconds: float) -> None:
        """Keep that a trial was behind."""
        trial.set_user_attr("seconds", seconds)
        self._study.tell(trial, state=TrialState.PRUNED)

    def put_back(self, trial: Trial, *, seconds: float) -> None:
        """Keep what a trial took, and queue it again for the next process."""
        trial.set_user_attr("seconds", seconds)
        frozen = next(one for one in self._trials() if one.number == trial.number)
        self._study.tell(trial, state=TrialState.FAIL)
        self._again(frozen)

    def report(self) -> ModelTune:
        """Return every trial that was begun."""
        trials = tuple(self._told(trial) for trial in self._trials() if trial.state != TrialState.WAITING)
        space = {key: _plain(where) for key, where in self.model.space.items()}
        return ModelTune(
            self.model.name, self.model.kind, trials, space, importances(trials, self.model.space), self.model.note
        )

    def _told(self, trial: FrozenTrial) -> TrialReport:
        given, space = trial.user_attrs.get("given"), self.model.space
        found = {key: meant(space[key], value) for key, value in trial.params.items() if key in space}
        return TrialReport(
            trial.number,
            told(trial) or "unfinished",
            _value(trial),
            found if given is None else given,
            trial.user_attrs.get("seconds", 0.0),
            dict(sorted(trial.intermediate_values.items())),
            trial.user_attrs.get("reason", ""),
            given is not None,
            trial.user_attrs.get("retry_of"),
        )


def _value(trial: FrozenTrial) -> float | None:
    """Return a trial's value; of a pruned one what folds had shown, since a training's own numbers are others."""
    if trial.state == TrialState.PRUNED and (trial.last_step or 0) < FOLDS_FROM:
        return None
    return None if trial.state == TrialState.FAIL else trial.value


def told(trial: FrozenTrial) -> State | None:
    """Return how a trial ended; None where it waits."""
    if trial.state == TrialState.FAIL and "reason" not in trial.user_attrs:
        return "unfinished"
    return _STATES.get(trial.state)


def drawn(trial: Trial, name: str, where: Real | Whole | Choice) -> Any:
    """Return a value for one setting."""
    if isinstance(where, Choice):
        return meant(where, trial.suggest_categorical(name, [coded(where, value) for value in where.values]))
    if isinstance(where, Whole):
        return trial.suggest_int(name, where.low, where.high, log=where.log)
    return trial.suggest_float(name, where.low, where.high, log=where.log)


def coded(where: Real | Whole | Choice, value: Any) -> Any:
    """Return a value as the storage can hold it: of a choice, its JSON where it is no plain value."""
    plain = not isinstance(where, Choice) or value is None or isinstance(value, (bool, int, float, str))
    return value if plain else json.dumps(value)


def meant(where: Real | Whole | Choice, value: Any) -> Any:
    """Return what a stored value stands for."""
    if not isinstance(where, Choice):
        return value
    return next((each for each in where.values if coded(where, each) == value), value)


def holds(where: Real | Whole | Choice, value: Any) -> bool:
    """Tell whether a value lies in a range or among the choices."""
    if isinstance(where, Choice):
        return any(type(each) is type(value) and each == value for each in where.values)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return where.low <= value <= where.high and (isinstance(where, Real) or float(value).is_integer())


def flattened(settings: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Return settings by dotted keys; inner tables are there as wholes too."""
    out: dict[str, Any] = {}
    for key, value in settings.items():
        out[start + key] = value
        if isinstance(value, Mapping):
            out |= flattened(value, f"{start}{key}.")
    return out


def _plain(where: Real | Whole | Choice) -> dict[str, Any]:
    if isinstance(where, Choice):
        return {"values": list(where.values)}
    return {"low": where.low, "high": where.high, "log": where.log}
