"""A bundle with another encoder: its catalogue is read anew, and members that learned from texts follow."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.encoders._opening import folder_of
from inkling.engine.bundle import Bundle
from inkling.engine.said import Said
from inkling.engine.smaller import changed, pipeline_of
from inkling.engine.texts import TextReader
from inkling.kernels.similarity import normalize_rows
from inkling.retrieval._sequence import WEIGHTS
from inkling.retrieval.semantic import Semantic, SemanticConfig

_PROJECT = WEIGHTS + "table.project.weight"
_SAME = 0.95
_SAMPLE = 200
_RIDGE = 1e-3


def with_encoder(bundle: Bundle, source: str, run: Run, *, name: str = "") -> Bundle:
    """Return the bundle with another encoder, by which the catalogue was read anew.

    Args:
        bundle: What is changed.
        source: A registered encoder, or a folder of one that is served without torch.
        run: Threads, progress.
        name: What the bundle calls a folder; the folder's own name where it is left out.

    Raises:
        ConfigError: There is no such encoder.
        DataError: A member reads texts in a space of its own, which the encoder does not share.
    """
    pipeline = pipeline_of(bundle)
    reader = _reader(source, name, bundle.base.items.texts(), run)
    before, pipeline._reader = pipeline._reader, reader
    pipeline.config = msgspec.structs.replace(pipeline.config, encoder=reader.name)
    semantic = Semantic(SemanticConfig(encoder=reader.name), encoder=reader)
    pipeline._said = Said(semantic.fit(bundle.base, run))
    for member_name, member in pipeline._recall.members.items():
        if isinstance(member, Semantic):
            config = msgspec.structs.replace(member.config, encoder=reader.name)
            pipeline._recall.members[member_name] = Semantic(config, encoder=reader).fit(bundle.base, run)
        elif hasattr(member, "put_items") and hasattr(member, "_encoder"):
            _move(member_name, member, before, reader, bundle.base)
    return changed(bundle, pipeline)


def _reader(source: str, name: str, texts: list[str], run: Run) -> TextReader:
    folder = folder_of(source)
    reader = TextReader(name or (source if folder is None else folder.name))
    if folder is None:
        reader.fit(texts, run)
        return reader
    reader.use(run)
    reader.read_by(folder)
    return reader


def _move(name: str, member: Any, before: TextReader, after: TextReader, data: Dataset) -> None:
    """Let a member that learned from texts read new items by another encoder; those that it knows stay as they are."""
    state = member.state()
    texts = data.items.texts()
    rows = np.array([row for row, text in enumerate(texts) if text], dtype=np.int64)
    if _PROJECT in state and "said" in state:
        inside = rows[rows < len(state["said"])]
        read = after.encode([texts[row] for row in inside.tolist()])
        member.load_state({**state, **_projected(read, np.asarray(state["said"], dtype=np.float32)[inside])})
    else:
        sample = [texts[row] for row in rows[:_SAMPLE].tolist()]
        if not _alike(before.encode(sample), after.encode(sample)):
            raise DataError(
                f"The member '{name}' reads texts in a space of its own, which '{after.name}' does not share.",
                hint="Leave the member out, or fit again with the encoder.",
            )
    member._encoder = after


def _projected(read: F32, said: F32) -> dict[str, Array]:
    """Return the map from new vectors (n, t) to what a sequence model adds for an item (n, d), by ridge regression."""
    mean = read.mean(axis=0)
    x = normalize_rows(read - mean).astype(np.float64)
    y = normalize_rows(said).astype(np.float64)
    gram = x.T @ x
    ridge = _RIDGE * float(np.trace(gram)) / max(len(gram), 1) + 1e-9
    project = np.linalg.solve(gram + ridge * np.eye(len(gram)), x.T @ y)
    return {_PROJECT: project.T.astype(np.float32), "mean": mean.astype(np.float32)}


def _alike(one: F32, other: F32) -> bool:
    return one.shape == other.shape and float((one * other).sum(axis=1).mean()) >= _SAME
