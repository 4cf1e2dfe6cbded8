"""What a data folder may hold: the columns of its tables, and what its ``dataset.toml`` may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from inkling.core.config import Config, override, parse, read_toml, to_dict
from inkling.core.errors import ConfigError
from inkling.core.scenario import Cleaning, Scenario, Seen, Time
from inkling.core.tables import EVENT_COLUMNS

Kind = Literal["events", "items", "users", "links"]
DEFAULT_EVENT = "interaction"
"""The name of an event that carries none."""


@dataclass(frozen=True, slots=True)
class Table:
    """The columns of one kind of file: those it must have, and those with a meaning of their own."""

    required: tuple[str, ...]
    texts: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


TABLES: dict[Kind, Table] = {
    "events": Table(
        required=("user_id", "item_id"),
        texts=tuple(name for name in EVENT_COLUMNS if name not in {"timestamp", "value"}),
        numbers=("value",),
        times=("timestamp",),
    ),
    "items": Table(
        required=("item_id",),
        texts=("item_id", "title", "description", "image", "audio"),
        numbers=("price",),
        times=("created_at",),
        lists=("categories",),
    ),
    "users": Table(required=("user_id",), texts=("user_id", "about")),
    "links": Table(required=("user_id", "friend_id"), texts=("user_id", "friend_id"), numbers=("weight",)),
}


class DatasetInfo(Config, frozen=True, kw_only=True):
    """What ``dataset.toml`` says about a data folder. A field left out leaves the scenario's own value."""

    name: str = ""
    """Short name of the data."""
    title: str = ""
    """One line for people."""
    licence: str = ""
    """Under which terms the data may be used."""
    attribution: str = ""
    """Who is to be named."""
    source: str = ""
    """Where the data comes from."""
    scenario: str = ""
    """Registered scenario that fits the data."""
    time: Time | None = None
    """What timestamps mean; guessed, and said so, where it is left out."""
    positive: dict[str, float] | None = None
    """Events that are targets and positive signals, with their weights."""
    positive_value: dict[str, float] | None = None
    """Smallest value for an event to be positive."""
    signals: dict[str, float] | None = None
    """Events that are history with a weight but no target."""
    takes_back: dict[str, str] | None = None
    """Event -> the event that it takes back."""
    seen: Seen | None = None
    """Whether an item may be recommended again to a person who had it."""
    score: Literal["probability", "rating"] | None = None
    """What ``score`` answers."""
    context: tuple[str, ...] | None = None
    """Names of ``context.*`` columns that are features."""
    session_gap_s: float | None = None
    """A pause longer than this starts a new session where events carry no session id."""
    retention_days: float | None = None
    """Events older than this before the newest one are left out."""
    cleaning: dict[str, Any] = {}
    """Rules of cleaning that differ from the scenario's."""
    columns: dict[str, str] = {}
    """Name of a column in the files -> the name it has here, such as uid = "user_id"."""
    delimiter: str = ""
    """What separates fields in .csv files; a comma where it is left out."""


_OWN = frozenset({"name", "title", "licence", "attribution", "source", "scenario", "columns", "delimiter", "cleaning"})


def apply_info(scenario: Scenario, info: DatasetInfo) -> Scenario:
    """Return ``scenario`` with everything that the data folder states about itself put in place.

    Raises:
        ConfigError: ``info.cleaning`` names an unknown rule or gives a value that does not fit.
    """
    said = {key: value for key, value in to_dict(info).items() if key not in _OWN and value is not None}
    cleaning = override(scenario.cleaning, info.cleaning, where="dataset.toml cleaning")
    return parse(Scenario, {**to_dict(scenario), **said, "cleaning": to_dict(cleaning)}, where="dataset.toml")


def read_info(folder: Path) -> DatasetInfo:
    """Return what ``folder/dataset.toml`` says; nothing at all where there is no such file.

    Raises:
        ConfigError: The file is no TOML, or has an unknown key.
    """
    path = folder / "dataset.toml"
    return checked_info(read_toml(DatasetInfo, path)) if path.is_file() else DatasetInfo()


def checked_info(info: DatasetInfo) -> DatasetInfo:
    """Return ``info`` once its cleaning rules and its delimiter are known to be usable.

    Raises:
        ConfigError: A rule is unknown, or the delimiter is not one ASCII character.
    """
    override(Cleaning(), info.cleaning, where="dataset.toml cleaning")
    if info.delimiter and (len(info.delimiter) != 1 or not info.delimiter.isascii() or info.delimiter in '"\r\n'):
        raise ConfigError(f"dataset.toml: delimiter is {info.delimiter!r}, expected one character such as ';'.")
    return info


def renames(columns: list[str], info: DatasetInfo) -> Mapping[str, str]:
    """Return the renames of ``info.columns`` that apply to a file with these columns."""
    return {theirs: ours for theirs, ours in info.columns.items() if theirs in columns}
