"""The search itself: trial after trial, the model with the least time spent first, until time or trials are up."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.errors import ConfigError, InklingError, MissingExtraError
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.evaluation.contenders import TUNE_ON, TUNE_PEOPLE, Settings
from inkling.evaluation.folder import prepare
from inkling.evaluation.tracking import Tracking
from inkling.evaluation.tuning.measuring import validation_folds, worth
from inkling.evaluation.tuning.models import Searched, searched
from inkling.evaluation.tuning.output import TuneReport
from inkling.events.folder import Folder, load_folder
from inkling.protocol.fold import Fold
from inkling.protocol.spec import ProtocolSpec, describe, resolve
from inkling.protocol.splits import split

if TYPE_CHECKING:
    from optuna.trial import Trial

    from inkling.evaluation.tuning.study import ModelStudy

_FAILURES = 3


@dataclass(frozen=True)
class Search:
    """What is searched, and how long.

    Attributes:
        models: Names, as in ``evaluate``.
        study: Folder that keeps every trial; a search that ended, or was killed, goes on there.
        minutes: Of this process; no trial begins later, and one that reports on its way is put back.
        trials: Of each model, those of earlier processes included; 0 is no limit.
        people: At most so many of each validation part are asked.
        spec: How to measure; the validation parts are those of this split.
    """

    models: Sequence[str]
    study: str | Path
    minutes: float = 0.0
    trials: int = 0
    people: int = TUNE_PEOPLE
    spec: ProtocolSpec = field(default_factory=ProtocolSpec)

    def __post_init__(self) -> None:
        if self.minutes <= 0 and self.trials <= 0:
            raise ConfigError("A search needs an end.", hint="Give minutes, or a number of trials.")


class TimeUp(Exception):  # noqa: N818 - an end, not an error
    """Ends a trial that is still under way when the search's time is up."""


def tune_folder(
    data: str | Path | Folder,
    scenario: Scenario,
    search: Search,
    *,
    run: Run | None = None,
    tracking: Tracking | None = None,
) -> TuneReport:
    """Search settings of models by validation; what the folder's ``dataset.toml`` says goes over the scenario.

    Args:
        data: A data folder.
        scenario: What counts; also names the pipeline ``default``.
        search: What is searched, and how long.
        run: Seed, threads, progress.
        tracking: Where trials are logged besides.

    Raises:
        MissingExtraError: Optuna is not installed.
        ConfigError: A model does not exist, or the study is about another measurement.
        StoreError: Another process is at work in the study.
        ProtocolError: The data cannot carry the measurement or has no validation part.
    """
    _check_optuna()
    from inkling.evaluation.tuning.study import Folder as StudyFolder

    surroundings = run or Run()
    folder = data if isinstance(data, Folder) else load_folder(data, progress=surroundings.progress)
    events, own, tables = prepare(folder, scenario)
    spec = resolve(search.spec, own)
    wanted = [searched(name, own, minutes=search.minutes) for name in dict.fromkeys(search.models)]
    folds = validation_folds(split(events, own, tables, spec), search.people, surroundings)
    about = _about(folds, spec, search)
    with StudyFolder(Path(search.study), about) as kept:
        studies = [kept.study(model, seed=surroundings.seed) for model in wanted]
        _Trials(studies, folds, search, surroundings, tracking or Tracking()).go()
        return TuneReport(TUNE_ON, about, tuple(each.report() for each in studies))


def _check_optuna() -> None:
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Searching settings needs Optuna.", hint='Install it: pip install "inkling[train]".'
        ) from error


def _about(folds: Sequence[Fold], spec: ProtocolSpec, search: Search) -> dict[str, Any]:
    parts = [
        {
            "name": fold.name,
            "train_fingerprint": fold.train.fingerprint,
            "people": len(fold),
            "targets": len(fold.targets.values),
        }
        for fold in folds
    ]
    return {**describe(spec), "people": search.people, "metric": TUNE_ON, "validation": parts}


class _Trials:
    """One process's share of a search."""

    def __init__(
        self, studies: Sequence[ModelStudy], folds: Sequence[Fold], search: Search, run: Run, tracking: Tracking
    ) -> None:
        self._studies, self._folds, self._search = list(studies), folds, search
        self._run, self._tracking = run, tracking
        self._end = time.monotonic() + search.minutes * 60 if search.minutes > 0 else float("inf")

    def go(self) -> None:
        """Try, until nothing is left to try or time is up."""
        while time.monotonic() < self._end and (open_ones := [each for each in self._studies if self._is_open(each)]):
            study = min(open_ones, key=lambda each: each.seconds)
            self._tell_progress()
            self._try(study)
        self._tell_progress()

    def _is_open(self, study: ModelStudy) -> bool:
        if study.exhausted or study.failing(_FAILURES):
            return False
        return not self._search.trials or study.n_done < self._search.trials

    def _tell_progress(self) -> None:
        done = sum(study.n_done for study in self._studies)
        self._run.progress("trials", done, self._search.trials * len(self._studies))

    def _try(self, study: ModelStudy) -> None:
        from optuna import TrialPruned

        trial, changes = study.ask()
        begin = time.monotonic()
        with self._tracking.trial(f"{study.model.name}/trial-{trial.number:04d}", changes) as log:
            try:
                value = self._worth(study.model, trial, changes, log)
            except TrialPruned:
                return study.prune(trial, seconds=time.monotonic() - begin)
            except TimeUp:
                return study.put_back(trial, seconds=time.monotonic() - begin)
            except (InklingError, ArithmeticError, ValueError, RuntimeError, MemoryError) as error:
                reason = str(error) if isinstance(error, InklingError) else f"{type(error).__name__}: {error}"
                self._run.log.warning("%s, trial %d: %s", study.model.name, trial.number, reason)
                return study.tell(trial, None, seconds=time.monotonic() - begin, reason=reason)
            log(TUNE_ON, 0, value)
        study.tell(trial, value, seconds=time.monotonic() - begin)
        return None

    def _worth(self, model: Searched, trial: Trial, changes: Settings, log: Callable[[str, int, float], None]) -> float:
        from inkling.evaluation.tuning.pruning import FOLDS_FROM

        fold, n_told = 0, 0

        def reached(number: int, value: float) -> None:
            nonlocal fold
            fold = number + 1
            log(f"{TUNE_ON}, folds so far", fold, value)
            if fold < len(self._folds):
                self._judge(trial, FOLDS_FROM + number, value)

        def watch(name: str, step: int, value: float) -> None:
            nonlocal n_told
            log(f"training/{name}" if fold == 0 else f"training/fold {fold}/{name}", step, value)
            # Trainings on later folds would report the same again, so the first one speaks for all. How often it told
            # is the step: its own may count batches, whose size is a setting.
            if fold == 0 and "loss" not in name:
                n_told += 1
                self._judge(trial, n_told, value)
            elif time.monotonic() > self._end:
                raise TimeUp

        watched = replace(self._run, watch=watch)
        return worth(model, changes, self._folds, watched, metric=TUNE_ON, reached=reached)

    def _judge(self, trial: Trial, step: int, value: float) -> None:
        from optuna import TrialPruned

        trial.report(value, step)
        if trial.should_prune():
            raise TrialPruned
        if time.monotonic() > self._end:
            raise TimeUp
