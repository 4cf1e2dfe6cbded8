"""Smaller encoders for one bundle, each made when it is first asked for and kept in a folder for the next time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.encoders._backbone_folder import MINILM, local_folder
from inkling.encoders._opening import files_of

if TYPE_CHECKING:
    from inkling.compression.distil import Lessons
    from inkling.encoders.backbone import Backbone

DYNAMIC, STATIC_INT8, PRUNED, STUDENT, TABLE = "int8", "int8 static", "pruned", "3 layers", "table"
NAMES = (DYNAMIC, STATIC_INT8, PRUNED, STUDENT, TABLE)
_SHIPPED = frozenset({"auto", "sentence", "exported"})
_SHARE = 0.3
_LAYERS = 3
_CALIBRATION = 300


def teacher_of(source: str) -> str:
    """Return the transformer in torch that an encoder came from, where it and torch are here; else nothing.

    Args:
        source: The encoder that a bundle was fitted with.
    """
    if any(find_spec(name) is None for name in ("torch", "transformers")):
        return ""
    wanted = MINILM if source in _SHIPPED else source
    folder = local_folder(wanted)
    return wanted if folder is not None and (folder / "config.json").is_file() else ""


@dataclass
class Students:
    """Makes encoders from a teacher and the events before the newest window; torch is needed for that, not to serve.

    Attributes:
        teacher: A folder or a name of a transformer in torch.
        train: What students may learn from.
        place: The folder that keeps them.
        run: Seed, threads, progress.
        minutes: How long one of them may be taught; 0 is as long as its settings say.
    """

    teacher: str
    train: Dataset
    place: Path
    run: Run
    minutes: float = 0.0
    names: tuple[str, ...] = field(default=NAMES)

    def makers(self) -> Mapping[str, Callable[[], str]]:
        """Return what makes each encoder: it returns a folder that is served without torch.

        Raises:
            ConfigError: A name is unknown.
        """
        if unknown := [name for name in self.names if name not in NAMES]:
            raise ConfigError(f"There is no student '{unknown[0]}'.", hint=f"Allowed: {', '.join(NAMES)}.")
        return {name: partial(self._made, name) for name in self.names}

    def _made(self, name: str) -> str:
        folder = self.place / f"{'-'.join(name.split())}-{self._mark}"
        if not (folder.is_dir() and files_of(folder)):
            folder.parent.mkdir(parents=True, exist_ok=True)
            self.run.log.info("making the encoder '%s'", name)
            self._make(name, folder)
        return str(folder)

    @cached_property
    def _mark(self) -> str:
        """Return what tells the teacher and the lessons apart from others."""
        said = (
            f"{self._backbone.fingerprint}:{self.train.fingerprint}:{self.train.until}:{self.run.seed}:{self.minutes}"
        )
        return hashlib.sha256(said.encode()).hexdigest()[:12]

    @cached_property
    def _backbone(self) -> Backbone:
        from inkling.encoders.backbone import load_backbone

        return load_backbone(self.teacher)

    @cached_property
    def _lessons(self) -> Lessons:
        from inkling.compression.distil import read_lessons

        return read_lessons(self._backbone, data=self.train, run=self.run)

    @property
    def _seconds(self) -> float:
        return 60 * self.minutes

    def _make(self, name: str, folder: Path) -> None:
        makers: dict[str, Callable[[Path], Any]] = {
            DYNAMIC: partial(self._quantized, method="dynamic"),
            STATIC_INT8: partial(self._quantized, method="static"),
            PRUNED: self._pruned,
            STUDENT: self._shallow,
            TABLE: self._table,
        }
        makers[name](folder)

    def _quantized(self, folder: Path, *, method: str) -> None:
        from inkling.compression.quantize import quantize

        texts = [text for text in self.train.items.texts() if text][:_CALIBRATION]
        quantize(self._backbone, folder, method=method, texts=texts, n_threads=self.run.n_threads, seed=self.run.seed)

    def _pruned(self, folder: Path) -> None:
        from inkling.compression.prune import PruneConfig, Recovery, prune

        config = PruneConfig(recovery=Recovery(max_seconds=self._seconds))
        made, _ = prune(
            self._backbone, _SHARE, texts=self._lessons.texts, run=self.run, recover=self._lessons, config=config
        )
        self._exported(made, folder)

    def _shallow(self, folder: Path) -> None:
        from inkling.compression.distil import DistilConfig, distil

        config = DistilConfig(max_seconds=self._seconds)
        made, _ = distil(self._backbone, self._lessons, config, n_layers=_LAYERS, run=self.run)
        self._exported(made, folder)

    def _exported(self, made: Backbone, folder: Path) -> None:
        from inkling.compression.quantize import quantize

        quantize(made, folder, method="dynamic", texts=self._lessons.texts[:_CALIBRATION], n_threads=self.run.n_threads)

    def _table(self, folder: Path) -> None:
        from inkling.compression.distil import StaticConfig, distil_static

        config = StaticConfig(max_seconds=self._seconds)
        made, _ = distil_static(self._backbone, self._lessons, config, run=self.run)
        made.save(folder)
