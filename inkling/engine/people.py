"""People's vectors, kept from one question to the next until something happens to the person or to the catalogue."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, Bool
from inkling.core.query import Query
from inkling.engine.pipeline import CacheCounts, Pipeline
from inkling.retrieval._sequence import SequenceModel

MAX_BYTES = 64 << 20
_ENTRY_BYTES = 300
_Found = tuple[F32, Bool]


class PeopleVectors:
    """The vectors of the people asked about last, by what they did: an event more is another key, and a fresh vector.

    A person's version is the content of their history, so that reads see writes whatever order they come in. What
    items say is part of the vectors, too: new or changed items empty the cache. Any thread may ask.
    """

    def __init__(self, member: SequenceModel, *, max_bytes: int = MAX_BYTES) -> None:
        """Stand before ``member.people``; the least recently asked leave first."""
        self._compute: Callable[[Query], _Found] = member.people
        self._place: Callable[[I32, F32], None] = member.put_items
        self.max_bytes = max_bytes
        self._kept: OrderedDict[bytes, _Found] = OrderedDict()
        self._lock = threading.Lock()
        self._age = self._hits = self._misses = self._bytes = 0

    def people(self, query: Query) -> _Found:
        """Return what ``member.people`` returns; questions about many at once are computed together, and not kept."""
        if len(query) != 1:
            return self._compute(query)
        key = _key(query)
        with self._lock:
            age, found = self._age, self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                self._hits += 1
                return found
            self._misses += 1
        made = self._compute(query)
        for part in made:
            part.flags.writeable = False
        self._keep(key, made, age)
        return made

    def _keep(self, key: bytes, made: _Found, age: int) -> None:
        with self._lock:
            if age != self._age or key in self._kept:  # an item changed while this was computed, or another was faster
                return
            self._kept[key] = made
            self._bytes += _size(made)
            while self._bytes > self.max_bytes:
                self._bytes -= _size(self._kept.popitem(last=False)[1])

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in new or changed items, and forget every vector: histories may hold them."""
        self.forget()
        self._place(item_rows, vectors)
        self.forget()  # of what was computed from half of them

    def forget(self) -> None:
        """Drop every vector: nobody can tell whose each was."""
        with self._lock:
            self._age += 1
            self._kept.clear()
            self._bytes = 0

    def counts(self) -> CacheCounts:
        """Return how the cache did."""
        with self._lock:
            return CacheCounts(self._hits, self._misses, len(self._kept), self._bytes)


def _key(query: Query) -> bytes:
    """Return the version of the one person of a question: a digest of all that a sequence model may look at."""
    history = query.history
    digest = hashlib.blake2b(digest_size=16)
    for column in (history.item_rows, history.ts, history.weights):
        digest.update(np.ascontiguousarray(column).data)
    return digest.digest()


def _size(made: _Found) -> int:
    return sum(part.nbytes for part in made) + _ENTRY_BYTES


def remember_people(pipeline: Pipeline) -> None:
    """Put a cache before each member that computes people's vectors from the order of what they did."""
    members: Mapping[str, Any] = getattr(getattr(pipeline, "_recall", None), "members", {})
    for member in members.values():
        if isinstance(member, SequenceModel) and "people" not in vars(member):
            kept = PeopleVectors(member)
            open_: Any = member
            open_.people, open_.put_items, open_.kept_people = kept.people, kept.put_items, kept


def _kept(pipeline: Pipeline) -> dict[str, PeopleVectors]:
    """Return the caches of a pipeline's members, by the member's name."""
    members: Mapping[str, Any] = getattr(getattr(pipeline, "_recall", None), "members", {})
    return {name: member.kept_people for name, member in members.items() if hasattr(member, "kept_people")}


def forget_people(pipeline: Pipeline) -> None:
    """Drop the vectors of people, as somebody among them is to be forgotten."""
    for kept in _kept(pipeline).values():
        kept.forget()


def caches_of(pipeline: Pipeline) -> dict[str, CacheCounts]:
    """Return how a pipeline's caches did: ``texts`` by content, and ``people`` of a member by version."""
    found: dict[str, CacheCounts] = {}
    reader = getattr(pipeline, "_reader", None)
    if reader is not None:
        found["texts"] = reader.cache()
    return found | {f"people of {name}": kept.counts() for name, kept in _kept(pipeline).items()}


def told(caches: Mapping[str, CacheCounts]) -> dict[str, dict[str, float]]:
    """Return counts and hit rates as plain data."""
    return {name: {**msgspec.structs.asdict(one), "hit_rate": one.hit_rate} for name, one in caches.items()}
