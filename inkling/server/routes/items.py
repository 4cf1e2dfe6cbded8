"""Items: one by one, in bulk, and a search."""

from __future__ import annotations

from typing import Any

import msgspec

from inkling.core.errors import NotFoundError
from inkling.server.endpoint import Call, Endpoint, always
from inkling.server.rows import with_id, with_path_id
from inkling.server.schemas import (
    FindItemsQuery,
    ItemsIn,
    ItemsOut,
    ProfileQuery,
    ReadingOut,
    Row,
    VersionOut,
    WaitQuery,
    WrittenOut,
)


def _put_item(call: Call) -> WrittenOut:
    return _read(call, call.engine.put_items([with_path_id(call.body, "item_id", call.ids["id"])]))


def _put_items(call: Call) -> WrittenOut:
    return _read(call, call.engine.put_items(with_id(call.body.items, "item_id", where="items")))


def _patch_item(call: Call) -> WrittenOut:
    changes = with_path_id(call.body, "item_id", call.ids["id"])
    del changes["item_id"]
    return _read(call, call.engine.patch_item(call.ids["id"], changes))


def _read(call: Call, version: int) -> WrittenOut:
    """Answer at once, or when all texts are read, or when the time that the caller gave is over."""
    query: WaitQuery = call.query
    return WrittenOut(version, call.engine.read_all(query.wait) if query.wait else None)


def _get_item(call: Call) -> dict[str, Any]:
    return call.engine.get_item(call.ids["id"])


def _delete_item(call: Call) -> VersionOut:
    return VersionOut(call.engine.delete_item(call.ids["id"]))


def _find_items(call: Call) -> ItemsOut:
    query: FindItemsQuery = call.query
    if query.id:
        return ItemsOut([row for item_id in query.id if (row := _known(call, item_id)) is not None])
    return ItemsOut(call.engine.find_items(query.text, limit=query.limit))


def _known(call: Call, item_id: str) -> dict[str, Any] | None:
    try:
        return call.engine.get_item(item_id)
    except NotFoundError:
        return None


def _profile(call: Call) -> dict[str, Any]:
    return call.engine.item_profile(call.ids["id"], language=call.query.language)


def _patch_profile(call: Call) -> VersionOut:
    return VersionOut(call.engine.patch_item_profile(call.ids["id"], call.body))


def _reading(call: Call) -> ReadingOut:
    query: WaitQuery = call.query
    done = call.engine.read_all(query.wait)
    return ReadingOut(done, **msgspec.structs.asdict(call.engine.reading()))


_ONE, _ALL = "/v1/items/{id}", "/v1/items"

ENDPOINTS = (
    Endpoint("GET", _ONE, _get_item, "Read an item.", answer=dict[str, Any]),
    Endpoint("PUT", _ONE, _put_item, "Write an item.", body=Row, query=WaitQuery, answer=WrittenOut, blocking=always),
    Endpoint(
        "PATCH",
        _ONE,
        _patch_item,
        "Change attributes of an item.",
        body=Row,
        query=WaitQuery,
        answer=WrittenOut,
        blocking=always,
    ),
    Endpoint(
        "GET",
        f"{_ONE}/profile",
        _profile,
        "What is known of an item: summary, keywords, what reviews praise and complain about; and the same in words.",
        query=ProfileQuery,
        answer=dict[str, Any],
        blocking=always,
    ),
    Endpoint(
        "PATCH",
        f"{_ONE}/profile",
        _patch_profile,
        "Change an item's profile; null takes a field back.",
        body=Row,
        answer=VersionOut,
        blocking=always,
    ),
    Endpoint(
        "GET",
        "/v1/reading",
        _reading,
        "How far the language model is with reading texts that were written; with wait, once it is done or time is up.",
        query=WaitQuery,
        answer=ReadingOut,
        blocking=always,
    ),
    Endpoint("DELETE", _ONE, _delete_item, "Delete an item.", answer=VersionOut, blocking=always),
    Endpoint(
        "GET",
        _ALL,
        _find_items,
        "Find items by text, or read several by id; ids that are unknown are left out.",
        query=FindItemsQuery,
        answer=ItemsOut,
        blocking=always,
    ),
    Endpoint(
        "POST",
        _ALL,
        _put_items,
        "Write many items; their texts are read in the background, and served by other signals until then.",
        body=ItemsIn,
        query=WaitQuery,
        answer=WrittenOut,
        blocking=always,
    ),
)
