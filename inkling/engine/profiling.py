"""Profiles of people and items as the engine knows them now: read, changed by those they are about, kept in the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import numpy as np

from inkling.core.arrays import I32, Array
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import ConfigError, RequestError
from inkling.core.tables import Items
from inkling.core.vocabulary import Vocabulary
from inkling.engine.learning import KEPT, items_table, people_table
from inkling.engine.written import WrittenAspects
from inkling.language.aspects import AspectReader, AspectTable, LexiconReader, cares_of_people, read_aspects, strongest
from inkling.language.profiles import ItemProfile, Line, Notes, PersonProfile, Profiler, edited, profile_text, rebuilt
from inkling.stores.base import ChangeLog

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews
    from inkling.engine.writing import Writer

_PATIENCE = 20.0  # a snapshot is good for so many times as long as it took to make
_P = TypeVar("_P", ItemProfile, PersonProfile)


@dataclass(frozen=True)
class _Snapshot:
    profiler: Profiler
    version: int
    until: float
    n_written: int = 0
    sources: Mapping[str, set[str]] = field(default_factory=dict)  # aspect -> who named it


class Profiles:
    """Profiles of one store. A snapshot of everything is shared by all that are read within a short time."""

    def __init__(self, log: ChangeLog, writer: Writer | None = None) -> None:
        """Read what people said from ``log``; ``writer`` adds a generative model's words where there is one."""
        self._log, self._writer = log, writer
        self._lock = threading.Lock()
        self._kept: tuple[LiveViews, _Snapshot] | None = None

    def item(self, views: LiveViews, row: int, *, version: int, language: str = "en") -> dict[str, Any]:
        """Return an item's profile as plain data, with ``text``: the same in words."""
        built = self._profiler(views, version, n_items=row + 1).item(row)
        return self._shown(_as_kept(built, views.catalog.get(row)), language)

    def person(self, views: LiveViews, row: int, *, version: int, language: str = "en") -> dict[str, Any]:
        """Return a person's profile as plain data, with ``text``: the same in words."""
        known = views.people.get(row) or {}
        about = known.get("about")
        built = self._profiler(views, version, n_users=row + 1).person(row)
        built = msgspec.structs.replace(built, about=about if isinstance(about, str) else "")
        return self._shown(_as_kept(built, known), language)

    def _shown(self, profile: ItemProfile | PersonProfile, language: str) -> dict[str, Any]:
        plain = msgspec.json.decode(msgspec.json.encode(profile))  # lists, as over HTTP
        out: dict[str, Any] = {**plain, "text": profile_text(profile, language)}
        if self._writer is not None:
            out["written"] = self._writer.notes(profile, language)
            out["aspects_by"] = self._sources(profile)
        return out

    def _sources(self, profile: ItemProfile | PersonProfile) -> dict[str, list[str]]:
        """Return who named the aspects of a profile: rules, a generative model, or a person who changed it."""
        known = self._kept[1].sources if self._kept is not None else {}
        lists = ("good_at", "bad_at") if isinstance(profile, ItemProfile) else ("cares_about",)
        return {
            aspect: ["edited"] if name in profile.edited else sorted(known.get(aspect, ()))
            for name in lists
            for aspect in getattr(profile, name)
        }

    def _profiler(self, views: LiveViews, version: int, *, n_items: int = 0, n_users: int = 0) -> Profiler:
        """Return what writes profiles of a moment ago, in which there are at least so many items and people."""
        with self._lock:
            now = time.monotonic()
            if self._kept is not None and self._kept[0] is views:
                kept, data = self._kept[1], self._kept[1].profiler.data
                knows = data.n_items >= n_items and data.n_users >= n_users
                same = kept.version == version and kept.n_written == self._n_written()
                if knows and (same or now < kept.until):
                    return kept.profiler
            data, n_written = snapshot(views, self._log), self._n_written()
            reader = WrittenAspects.of(self._writer, data) if self._writer is not None else None
            made = profiler(data, _queries(self._log), reader)
            until = time.monotonic() + _PATIENCE * (time.monotonic() - now)
            self._kept = (views, _Snapshot(made, version, until, n_written, reader.sources if reader else {}))
            return made

    def _n_written(self) -> int:
        return self._writer.generator.status().written if self._writer is not None else 0

    def forget(self) -> None:
        """Drop the snapshot, as when somebody is erased."""
        with self._lock:
            self._kept = None


def profiler(data: Dataset, asked: Sequence[Line] = (), reader: AspectReader | None = None) -> Profiler:
    """Return what writes profiles of ``data``, with the aspects that its reviews speak of, as ``reader`` finds them."""
    said = read_aspects(data, reader or LexiconReader(), at_least=1)
    table = AspectTable.of(said, data.n_items)
    cares = cares_of_people(said, data.n_users)
    return Profiler(
        data,
        Notes(
            good_at=lambda row: (
                tuple(one.aspect for one in table.good_at(row)),
                tuple(one.aspect for one in table.bad_at(row)),
            ),
            cares_about=lambda row: strongest(cares[row], said.names),
            asked=asked,
        ),
    )


def snapshot(views: LiveViews, log: ChangeLog) -> Dataset:
    """Return what is known at this moment as a data set: histories, catalogue, people, and what was said."""
    n_users, n_items = len(views.user_ids), len(views.item_ids)
    past = views.state.history(np.arange(n_users, dtype=np.int32))
    owner = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(past.offsets))
    inside = np.flatnonzero(past.item_rows < n_items)
    order = inside[np.argsort(past.ts[inside], kind="stable")]
    users, items = Vocabulary(views.user_ids.ids()[:n_users]), Vocabulary(views.item_ids.ids()[:n_items])
    events = Interactions(
        user_rows=owner[order],
        item_rows=past.item_rows[order],
        ts=past.ts[order],
        weights=past.weights[order],
        positive=past.weights[order] > 0,
        events=past.events[order],
        values=past.values[order],
        session_rows=np.full(len(order), -1, dtype=np.int32),
        event_names=tuple(views.event_names),
        texts=_texts(views, log, owner[order], past.item_rows[order], past.ts[order]),
    )
    people, listed = people_table(views.people_rows()), items_table(views.catalog.rows())
    return Dataset(
        interactions=events,
        user_ids=users,
        item_ids=items,
        scenario=views.scenario,
        items=(listed or Items(_nothing())).aligned(items),
        people=None if people is None else people.aligned(users),
        known_items=np.ones(n_items, dtype=np.bool_),
        until=views.newest_ts,
    )


def _nothing() -> Any:
    import polars as pl

    return pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})


def _texts(views: LiveViews, log: ChangeLog, users: I32, items: I32, ts: Array) -> Array:
    """Return what was said with each event (N,), from the log; None where nothing was."""
    said: dict[tuple[int, int, int], str] = {}
    for block in log.scan():
        for row in block.rows if block.kind == "events" else ():
            if row.get("text") and row.get("item_id"):
                who = views.state.row_of(row.get("user_id"), row.get("session_id"))
                said[who, views.item_ids.row_of(row["item_id"]), int(row["timestamp"])] = str(row["text"])
    out = np.empty(len(users), dtype=object)
    for at, key in enumerate(zip(users.tolist(), items.tolist(), ts.tolist(), strict=True)):
        out[at] = said.get(key)
    return out if said else np.empty(0, dtype=object)


def _queries(log: ChangeLog) -> list[Line]:
    """Return what people looked for, as their events tell."""
    return [
        Line(str(row["user_id"]), int(row["timestamp"]), str(row["text"]))
        for block in log.scan()
        if block.kind == "events"
        for row in block.rows
        if row.get("event") in ("query", "chat") and row.get("text") and row.get("user_id")
    ]


def _as_kept(profile: _P, known: Mapping[str, Any] | None) -> _P:
    """Return a profile with the fields that somebody wrote."""
    written = _written(known)
    try:
        return rebuilt(profile, edited(profile, written)) if written else profile
    except ConfigError:  # an attribute of that name that is something else
        return profile


def _written(known: Mapping[str, Any] | None) -> dict[str, Any]:
    text = (known or {}).get(KEPT)
    try:
        return msgspec.json.decode(text, type=dict[str, Any]) if isinstance(text, str) else {}
    except msgspec.MsgspecError:
        return {}


def change(
    kind: type[ItemProfile] | type[PersonProfile], known: Mapping[str, Any] | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the attributes to write for changes of a profile; None takes a written field back.

    Raises:
        RequestError: A field does not exist, is not to be changed, or has a value of another type.
    """
    if "n_events" in changes:
        raise RequestError("A profile's 'n_events' cannot be changed.", hint="It is counted.")
    empty: Any = ItemProfile(item_id="") if kind is ItemProfile else PersonProfile(user_id="")
    try:
        edited(empty, {name: getattr(empty, name, "") if value is None else value for name, value in changes.items()})
    except ConfigError as error:
        raise RequestError(error.message, hint=error.hint) from error
    attributes: dict[str, Any] = {}
    if kind is PersonProfile and "about" in changes:
        attributes["about"] = changes["about"]
    kept = {name: value for name, value in {**_written(known), **changes}.items() if value is not None}
    if kind is PersonProfile:
        kept.pop("about", None)  # it is an attribute of its own, which is read as what the person says
    attributes[KEPT] = msgspec.json.encode(kept, order="sorted").decode() if kept else None
    return attributes
