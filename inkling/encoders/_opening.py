"""One door to all encoders: a registered name, a folder on this machine, or a model of the hub."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inkling.core.errors import ConfigError, nearest

if TYPE_CHECKING:
    from inkling.core.run import Run
    from inkling.encoders.base import Encoder

Progress = Callable[[int, int], None]
HUB = "hub:"
EXPORTED = ("card.json", "model.onnx", "tokenizer.json")
"""The files of a folder that is read without torch."""
TABLE = ("card.json", "table.npz", "tokenizer.json")
"""The same of a table of tokens, which needs no graph either."""
_TRANSFORMER = "config.json"


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


def open_encoder(source: str, *, n_threads: int = 1, query: bool = False, progress: Progress = _ignore) -> Encoder:
    """Return the encoder that ``source`` names.

    Args:
        source: A registered name (``auto``, ``hashing``, ...); a folder with ``card.json``, ``model.onnx`` and
            ``tokenizer.json``, as ``export_backbone`` writes it (no torch is needed), or with ``table.npz`` in place of
            the graph, as ``write_table`` does; a folder with a saved transformer (``config.json``; needs
            ``inkling[train]``); or a model of the hub, ``owner/name`` or ``hub:name``.
        n_threads: Threads inside a model.
        query: Whether texts ask instead of describing, for models that are told (by a prefix) which they read.
        progress: Called as ``progress(n_done, n_texts)`` by encoders that tell of it.

    Raises:
        ConfigError: There is nothing of that name, or the folder holds no encoder.
        BundleError: A file of the folder is missing or was altered.
        MissingExtraError: A saved transformer or a model of the hub is named, and torch is not installed.
    """
    from inkling.encoders import ENCODERS

    if source in ENCODERS.names():
        return _registered(source, ENCODERS.get(source), n_threads, progress)
    folder = folder_of(source)
    if folder is not None and is_table(folder):
        table: Encoder = ENCODERS.get("table")(folder)
        return table
    if folder is not None:
        return _made(_kind_of(folder), str(folder), n_threads, query, progress)
    if not is_hub_name(source):
        raise ConfigError(
            f"There is no encoder named '{source}', and no folder of that name.",
            hint=f"{nearest(source, ENCODERS.names())} Or name a folder, or a model of the hub as owner/name.",
        )
    return _made("backbone", source.removeprefix(HUB), n_threads, query, progress)


def fitted_encoder(source: str, texts: Sequence[str], run: Run) -> Encoder:
    """Return the encoder that ``source`` names, having learned from ``texts`` where it is one that learns."""
    from inkling.encoders.base import Trainable

    encoder = open_encoder(source, n_threads=run.n_threads)
    return encoder.fit(texts, run) if isinstance(encoder, Trainable) else encoder


def folder_of(source: str) -> Path | None:
    """Return the folder that ``source`` names; None for a registered name or a model of the hub.

    Raises:
        ConfigError: It can only be a path, and there is no folder there.
    """
    from inkling.encoders import ENCODERS

    if source in ENCODERS.names() or source.startswith(HUB):
        return None
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if path.is_file() or path.is_absolute() or source.startswith((".", "~")) or source.count("/") > 1:
        seen = "is a file" if path.is_file() else "does not exist"
        raise ConfigError(f"The encoder '{source}' {seen}; expected a folder.", hint="Check the path.")
    return None


def is_exported(folder: Path) -> bool:
    """Return whether a folder holds all that is read without torch."""
    return all((folder / name).is_file() for name in EXPORTED)


def is_table(folder: Path) -> bool:
    """Return whether a folder holds a table of tokens, as ``write_table`` writes it."""
    return not is_exported(folder) and all((folder / name).is_file() for name in TABLE)


def files_of(folder: Path) -> dict[str, Path]:
    """Return the files of an encoder that is served without torch, by name; none of a folder of another kind."""
    names = EXPORTED if is_exported(folder) else TABLE if is_table(folder) else ()
    return {name: folder / name for name in names}


def is_hub_name(source: str) -> bool:
    """Return whether ``source`` has the form of a model of the hub: ``owner/name``, or anything behind ``hub:``."""
    owner, _, name = source.partition("/")
    return source.startswith(HUB) or (bool(owner) and bool(name) and os.sep not in name and " " not in source)


def _kind_of(folder: Path) -> str:
    if is_exported(folder):
        return "exported"
    if (folder / _TRANSFORMER).is_file():
        return "backbone"
    there = sorted(path.name for path in folder.iterdir())[:8]
    raise ConfigError(
        f"The folder '{folder}' holds no encoder: there is {', '.join(there) or 'nothing'} in it.",
        hint=f"Expected {', '.join(EXPORTED)} (an exported encoder); {TABLE[1]} in place of the graph (a table of "
        f"tokens); or {_TRANSFORMER} (a saved transformer).",
    )


def _made(name: str, source: str, n_threads: int, query: bool, progress: Progress) -> Encoder:  # noqa: FBT001
    from inkling.encoders import ENCODERS

    made: Encoder = ENCODERS.get(name)(source, n_threads=n_threads, query=query, progress=progress)
    return made


def _registered(name: str, kind: Any, n_threads: int, progress: Progress) -> Encoder:
    taken = inspect.signature(kind).parameters
    needed = [
        p.name for p in taken.values() if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    ]
    if needed:
        raise ConfigError(
            f"The encoder '{name}' needs {', '.join(needed)}.", hint="Name the folder itself, and it is opened."
        )
    given = {"n_threads": n_threads, "progress": progress}
    made: Encoder = kind(**{key: value for key, value in given.items() if key in taken})
    return made
