"""Data sets by name: one lies in the package, the others in a folder that the caller or ``INKLING_DATA`` names."""

from __future__ import annotations

import os
from pathlib import Path

from inkling.core.config import read_toml
from inkling.core.errors import DataError, NotFoundError, nearest
from inkling.core.run import Progress
from inkling.events.folder import Folder, load_folder
from inkling.events.schema import DatasetInfo, checked_info, read_info

BUNDLED = {"online-retail": "online_retail"}
ROOT_VARIABLE = "INKLING_DATA"
_HERE = Path(__file__).parent


def names() -> list[str]:
    """Return the names of all known data sets, sorted."""
    return sorted([*BUNDLED, *(path.stem for path in (_HERE / "info").glob("*.toml"))])


def info(name: str) -> DatasetInfo:
    """Return what is known of a data set without loading it: licence, attribution, times, positive events.

    Raises:
        NotFoundError: There is no data set of that name.
    """
    if name in BUNDLED:
        return read_info(_HERE / BUNDLED[name])
    path = _HERE / "info" / f"{name}.toml"
    if name not in names():
        raise NotFoundError(f"There is no data set named '{name}'.", hint=nearest(name, names()))
    return checked_info(read_toml(DatasetInfo, path))


def load(name: str, root: str | Path | None = None, *, progress: Progress | None = None) -> Folder:
    """Load a data set by name.

    Args:
        name: One of ``names()``.
        root: The folder that holds the data sets that are not bundled; ``INKLING_DATA`` where it is left out.
        progress: Called as ``progress(file name, rows so far, 0)``.

    Raises:
        NotFoundError: There is no data set of that name.
        DataError: The data set is not bundled, and no folder, or the wrong one, was given.
    """
    known = info(name)
    if name in BUNDLED and root is None:
        return load_folder(_HERE / BUNDLED[name], progress=progress)
    folder = data_root(name, root) / name
    if not folder.is_dir():
        raise DataError(
            f"'{folder.parent.name}' holds no data set '{name}'.",
            hint=f"Put its files into a folder '{name}' there, or name another folder.",
        )
    if (folder / "impressions.parquet").is_file():
        from inkling.datasets.impressions import load_impressions

        return load_impressions(folder, known)
    return load_folder(folder, info=known, progress=progress)


def data_root(name: str, root: str | Path | None) -> Path:
    """Return the folder of the data sets that are not bundled.

    Raises:
        DataError: Neither the caller nor ``INKLING_DATA`` names one.
    """
    given = root if root is not None else os.environ.get(ROOT_VARIABLE)
    if not given:
        raise DataError(
            f"The data set '{name}' is not bundled.",
            hint=f"Name the folder that holds it: load({name!r}, root=...), or set {ROOT_VARIABLE}.",
        )
    return Path(given)
