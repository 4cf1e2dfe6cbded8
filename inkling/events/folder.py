"""A data folder, loaded: ``events`` and, where there are any, ``items``, ``users`` and ``links``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import msgspec

from inkling.core.errors import DataError
from inkling.core.run import Progress
from inkling.core.tables import Events, Items, Links, People
from inkling.events.read import Loaded, read_table
from inkling.events.report import LoadReport, write_rejects
from inkling.events.schema import DatasetInfo, Kind, read_info
from inkling.events.source import ATOMIC, FORMATS

_PACKING = r"(\.gz|\.zst)?"


@dataclass(frozen=True, slots=True)
class Folder:
    """What a data folder holds, raw: typed and complete, but not cleaned."""

    events: Events
    items: Items | None
    users: People | None
    links: Links | None
    info: DatasetInfo
    report: LoadReport

    def write_rejects(self, path: Path) -> int:
        """Write the rows that could not be read as JSON lines; return how many (0 writes no file)."""
        return write_rejects(self.report.rejects, path)


def load_folder(path: str | Path, *, info: DatasetInfo | None = None, progress: Progress | None = None) -> Folder:
    """Load a data folder.

    Args:
        path: The folder.
        info: What is known of the data; its own ``dataset.toml`` where this is left out.
        progress: Called as ``progress(file name, rows so far, 0)``.

    Raises:
        DataError: There are no events, a table lies there twice, or a file cannot be read at all.
        ConfigError: ``dataset.toml`` does not fit.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"'{folder.name}' is no folder.", hint="Expected a data folder that holds an events file.")
    known = info if info is not None else read_info(folder)
    loaded: dict[Kind, Loaded] = {}
    for kind, file in find_files(folder).items():
        loaded[kind] = read_table(file, kind, info=known, progress=progress)
    if "events" not in loaded:
        raise _no_events(folder)
    return _folder(loaded, known)


def find_files(folder: Path) -> dict[Kind, Path]:
    """Return the file of each table in a folder.

    Raises:
        DataError: One table lies there in two files.
    """
    found: dict[Kind, Path] = {}
    for path in sorted(folder.iterdir()):
        kind = _kind_of(path.name)
        if kind is None or not path.is_file():
            continue
        if kind in found:
            raise DataError(
                f"'{folder.name}' holds {kind} twice: {found[kind].name} and {path.name}.", hint="Keep one of them."
            )
        found[kind] = path
    return found


def _kind_of(name: str) -> Kind | None:
    endings = "|".join(FORMATS)
    for kind in get_args(Kind):
        atomic = next(ending for ending, table in ATOMIC.items() if table == kind)
        if re.fullmatch(rf"({kind}\.({endings})|.+\.{atomic}){_PACKING}", name, re.IGNORECASE):
            found: Kind = kind
            return found
    return None


def _folder(loaded: dict[Kind, Loaded], info: DatasetInfo) -> Folder:
    report = LoadReport(
        files=tuple(table.report for table in loaded.values()),
        guesses=tuple(guess for table in loaded.values() for guess in table.guesses),
        rejects=tuple(reject for table in loaded.values() for reject in table.rejects),
    )
    items, users, links = (loaded[kind].frame if kind in loaded else None for kind in ("items", "users", "links"))
    return Folder(
        events=Events(loaded["events"].frame),
        items=None if items is None else Items(items),
        users=None if users is None else People(users),
        links=None if links is None else Links(links),
        info=msgspec.structs.replace(info, time=loaded["events"].time),
        report=report,
    )


def with_events(folder: Folder, events: Events) -> Folder:
    """Return the same folder with other events."""
    return replace(folder, events=events)


def _no_events(folder: Path) -> DataError:
    seen = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
    return DataError(
        f"'{folder.name}' holds no events; it holds {seen}.",
        hint="Expected events.csv, .tsv, .jsonl or .parquet (plain, .gz, .zst), or a RecBole .inter file.",
    )
