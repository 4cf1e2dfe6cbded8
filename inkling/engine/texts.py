"""One reader of texts: each text is read once in a process, whichever pipeline asks."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import BundleError, ConfigError
from inkling.core.run import Run
from inkling.encoders import ENCODERS, open_encoder
from inkling.encoders._opening import files_of, folder_of
from inkling.encoders.base import Encoder, Trainable
from inkling.encoders.cache import CachedEncoder
from inkling.engine.pipeline import CacheCounts, PipelineState

_AT_ONCE = 512
_ON_ONE_THREAD = frozenset({"hashing", "static", "corpus"})
_OF_FILES = frozenset({"exported", "table"})
_KEPT = "encoder"
"""The name, in a pipeline's state, of what belongs to its encoder."""


class TextReader:
    """An encoder by name or folder, opened when first needed, behind a cache by content hash (no text is kept).

    The encoder and its cache are shared by all readers of the process: several fits, as over the cuts of a comparison,
    read a catalogue once. Where the environment names a folder as ``INKLING_CACHE``, the vectors are kept there for the
    next process. An encoder that learned from a catalogue is the reader's own.
    """

    def __init__(self, name: str) -> None:
        """Name the encoder: a registered name, a folder, or a model of the hub."""
        self.name = name
        self._source = name
        self._own: CachedEncoder | None = None
        self._held: dict[tuple[str, int, bool], CachedEncoder] = {}
        self._run = Run()

    @property
    def source(self) -> str:
        """Return what is opened: the name, or the folder that reads in its place."""
        return self._source

    def use(self, run: Run) -> None:
        """Take the threads and the progress of a run for what is read from now on."""
        self._run = run

    def fit(self, texts: Sequence[str], run: Run) -> None:
        """Let an encoder that learns from texts learn from a catalogue's; a transformer in torch is exported.

        What a bundle carries has to be served without torch, so the exported model reads from here on.

        Raises:
            InklingError: The transformer cannot be exported.
            MissingExtraError: It needs torch, which is not installed.
        """
        self.use(run)
        self._own, self._source, self._held = None, self.name, {}
        shared = self._open().encoder
        if isinstance(shared, Trainable):
            fresh: Any = open_encoder(self.name, n_threads=run.n_threads)
            fresh.fit(texts, run)
            if fresh.fingerprint != shared.fingerprint:
                self._own = CachedEncoder(fresh, path=_place(self.name))
        elif shared.name == "backbone":
            self._source = _exported(self.name, stamp(self.name))

    def read_by(self, folder: Path) -> None:
        """Read by the encoder of a folder from now on, whatever the name says; a transformer in torch is exported.

        Raises:
            ConfigError: The folder holds no encoder.
            InklingError: The transformer cannot be exported.
            MissingExtraError: It needs torch, which is not installed.
        """
        self._own, self._source, self._held = None, str(folder), {}
        if self._open().encoder.name == "backbone":
            self._source, self._held = _exported(str(folder), stamp(str(folder))), {}

    @property
    def dim(self) -> int:
        """Return the length of the vectors."""
        return self._open().dim

    def cache(self) -> CacheCounts:
        """Return how the cache of texts' vectors did, in this process; a shared encoder counts for all who share it."""
        opened = {id(one): one for one in (*self._held.values(), *((self._own,) if self._own is not None else ()))}
        return CacheCounts(
            hits=sum(one.hits for one in opened.values()),
            misses=sum(one.misses for one in opened.values()),
            entries=sum(len(one.memory) for one in opened.values()),
            bytes=sum(one.memory.n_bytes for one in opened.values()),
        )

    def _open(self, *, query: bool = False) -> CachedEncoder:
        if self._own is not None:
            return self._own
        key = (self._source, 1 if self._source in _ON_ONE_THREAD else self._run.n_threads, query)
        if key not in self._held:
            self._held[key] = _shared(*key, stamp(self._source))
        return self._held[key]

    def forget(self, texts: Sequence[str]) -> None:
        """Drop the vectors that are kept of these texts, in memory and on disk."""
        for encoder in {id(one): one for one in (self._open(), self._asker())}.values():
            encoder.forget(texts)

    def encode(self, texts: Sequence[str]) -> F32:
        """Return vectors (N, dim), of length one or zero; long work is told of as progress."""
        encoder = self._open()
        if len(texts) <= _AT_ONCE:
            return encoder.encode(texts)
        parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
        read = [encoder.encode(part) for part in self._run.track(parts, "reading texts", total=len(parts))]
        return np.concatenate(read)

    def ask(self, texts: Sequence[str]) -> F32:
        """Return vectors (N, dim) of questions: some models are told, by a prefix, that a text asks."""
        return self._asker().encode(texts)

    def _asker(self) -> CachedEncoder:
        encoder = self._open()
        card: Any = getattr(encoder.encoder, "card", None)
        prefixed = card is not None and card.query_prefix != card.prefix
        return self._open(query=True) if prefixed else encoder

    # -- keeping --------------------------------------------------------------------------------------------------

    def kept(self, state: PipelineState) -> PipelineState:
        """Return a pipeline's state with what belongs to the encoder: its fingerprint, its table, its files."""
        encoder = self._open().encoder
        settings = {**state.settings, _KEPT: {"source": self.name, "fingerprint": encoder.fingerprint}}
        arrays = dict(state.arrays)
        if self._own is not None and isinstance(encoder, Trainable):
            arrays[_KEPT] = encoder.state()
        folder = folder_of(self._source)
        files = files_of(folder) if folder is not None and encoder.name in _OF_FILES else {}
        return replace(state, settings=settings, arrays=arrays, files=files)

    def load(self, state: PipelineState) -> None:
        """Take back what :meth:`kept` added, and refuse any other encoder than the one of the fit.

        Raises:
            BundleError: The encoder is missing, or gives other vectors.
        """
        told = state.settings.get(_KEPT)
        if told is None:
            return
        if state.files:
            self._source = str(next(iter(state.files.values())).parent)
        if _KEPT in state.arrays:
            fresh: Any = open_encoder(self.name)
            self._own = CachedEncoder(fresh.load_state(state.arrays[_KEPT]), path=_place(self.name))
        try:
            seen = self._open().fingerprint
        except ConfigError as error:
            raise BundleError(
                f"The bundle was fitted with the encoder '{told['source']}', which is not here: {error.message}",
                hint="Install it, or fit again with another.",
            ) from error
        if seen != told["fingerprint"]:
            raise BundleError(
                f"The encoder '{told['source']}' is another than the bundle was fitted with: it says {seen}, expected "
                f"{told['fingerprint']}.",
                hint="Its vectors would mean nothing to this model. Fit again, or bring the earlier encoder back.",
            )


@cache
def _shared(source: str, n_threads: int, query: bool, stamp: int) -> CachedEncoder:  # noqa: FBT001
    """Return the process's encoder. Reading has no state but the cache, so sharing it moves no answer."""
    encoder: Encoder = open_encoder(source, n_threads=n_threads, query=query)
    return CachedEncoder(encoder, path=_place(source))


def _place(source: str) -> Path | None:
    """Return the file that keeps vectors for the next process; keys hold the fingerprint, so encoders may share it."""
    folder = os.environ.get("INKLING_CACHE")
    name = re.sub(r"[^\w.-]+", "_", source).strip("_.")[-80:] or "folder"
    return Path(folder) / f"vectors-{name}.sqlite" if folder else None


def stamp(source: str) -> int:
    """Return a number that moves when a folder is written anew; 0 for what is no folder."""
    folder = None if source in ENCODERS.names() else folder_of(source)
    return max((path.stat().st_mtime_ns for path in folder.iterdir()), default=0) if folder is not None else 0


@cache
def _exported(source: str, stamp: int) -> str:
    """Return a folder with the exported form of a transformer; it lasts as long as the process."""
    from inkling.encoders.backbone import load_backbone
    from inkling.encoders.exported import export_backbone

    place = tempfile.TemporaryDirectory(prefix="inkling-encoder-")
    _PLACES.append(place)
    folder = Path(place.name) / "exported"
    export_backbone(load_backbone(source), folder)
    return str(folder)


_PLACES: list[tempfile.TemporaryDirectory[str]] = []
