"""Curves for other programs to show: TensorBoard's event files, and Weights & Biases where its package is there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from inkling.core.errors import ConfigError, MissingExtraError, nearest

Log = Callable[[str, int, float], None]
"""``log(name, step, value)``: the form of :attr:`Run.watch`."""
SERVICES = ("wandb",)


class Tracker(Protocol):
    """One place that curves go to."""

    def begin(self, name: str, settings: Mapping[str, Any]) -> Log:
        """Begin a run of its own; return what takes its values."""

    def end(self) -> None:
        """End the run."""


class Tracking:
    """All places that curves go to; none by default."""

    def __init__(self, trackers: Sequence[Tracker] = ()) -> None:
        """Take the places."""
        self._trackers = tuple(trackers)

    @contextmanager
    def trial(self, name: str, settings: Mapping[str, Any]) -> Iterator[Log]:
        """Yield what takes the values of one run, such as ``ease/trial-0003``; the run ends with the block."""
        with ExitStack() as ends:
            logs = []
            for tracker in self._trackers:
                logs.append(tracker.begin(name, settings))
                ends.callback(tracker.end)

            def log(what: str, step: int, value: float) -> None:
                for each in logs:
                    each(what, step, value)

            yield log


def open_tracking(logs: str | Path | None = None, service: str | None = None, *, project: str = "inkling") -> Tracking:
    """Return where curves go.

    Args:
        logs: Folder of TensorBoard's event files, one folder in it for each run; None writes none.
        service: ``wandb``; None is none.
        project: Name of the project there.

    Raises:
        MissingExtraError: A package is not installed.
        ConfigError: There is no such service.
    """
    if service is not None and service not in SERVICES:
        raise ConfigError(f"There is no tracking service '{service}'.", hint=nearest(service, SERVICES))
    found: list[Tracker] = [TensorBoard(Path(logs))] if logs else []
    if service:
        found.append(WeightsAndBiases(project))
    return Tracking(found)


class TensorBoard:
    """Event files, written by TensorBoard's own writer; torch is not needed."""

    def __init__(self, folder: Path) -> None:
        """Take the folder.

        Raises:
            MissingExtraError: TensorBoard is not installed.
        """
        self._folder = folder
        try:
            self._events: Any = import_module("tensorboard.compat.proto.event_pb2")
            self._summaries: Any = import_module("tensorboard.compat.proto.summary_pb2")
            self._settings_of: Any = import_module("tensorboard.plugins.hparams.summary_v2").hparams_pb
            self._writer_of: Any = import_module("tensorboard.summary.writer.event_file_writer").EventFileWriter
        except ImportError as error:
            raise MissingExtraError(
                "--logs needs TensorBoard.", hint='Install it: pip install "inkling[train]".'
            ) from error
        self._writer: Any = None

    def begin(self, name: str, settings: Mapping[str, Any]) -> Log:
        """Begin a folder of its own, with the settings for the tab HPARAMS."""
        self._writer = self._writer_of(str(self._folder / name))
        if settings:
            told = {
                key: value if isinstance(value, (bool, int, float, str)) else str(value)
                for key, value in settings.items()
            }
            self._write(self._settings_of(told, trial_id=name), 0)
        return self._log

    def _log(self, name: str, step: int, value: float) -> None:
        number = self._summaries.Summary.Value(tag=name, simple_value=value)
        self._write(self._summaries.Summary(value=[number]), step)

    def _write(self, summary: Any, step: int) -> None:
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))

    def end(self) -> None:
        """Write what is left."""
        self._writer.close()


class WeightsAndBiases:
    """Runs of a project at Weights & Biases, by its own package and with its own sign-in."""

    def __init__(self, project: str) -> None:
        """Take the project.

        Raises:
            MissingExtraError: The package is not installed.
        """
        try:
            self._service: Any = import_module("wandb")
        except ImportError as error:
            raise MissingExtraError(
                "--track wandb needs its package.", hint='Install it: pip install "inkling[track]".'
            ) from error
        self._project = project
        self._run: Any = None

    def begin(self, name: str, settings: Mapping[str, Any]) -> Log:
        """Begin a run; the part of its name before the slash is its group."""
        self._run = self._service.init(
            project=self._project, name=name, group=name.partition("/")[0], config=dict(settings)
        )

        def log(what: str, step: int, value: float) -> None:
            # Its own step must only rise over all curves of a run, and ours are numbered curve by curve.
            self._run.log({what: value, f"{what}/step": step})

        return log

    def end(self) -> None:
        """End the run."""
        self._run.finish()
