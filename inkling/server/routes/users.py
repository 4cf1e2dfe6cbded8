"""People: one by one, in bulk, a search, what they did, why an item is shown to them, and forgetting them."""

from __future__ import annotations

from typing import Any

from inkling.server.endpoint import Call, Endpoint, always
from inkling.server.rows import with_id, with_path_id
from inkling.server.schemas import (
    ErasedOut,
    FindUsersQuery,
    HistoryOut,
    LimitQuery,
    MergeIn,
    ProfileQuery,
    Row,
    UsersIn,
    UsersOut,
    VersionOut,
)


def _put_user(call: Call) -> VersionOut:
    return VersionOut(call.engine.put_users([with_path_id(call.body, "user_id", call.ids["id"])]))


def _put_users(call: Call) -> VersionOut:
    return VersionOut(call.engine.put_users(with_id(call.body.users, "user_id", where="users")))


def _patch_user(call: Call) -> VersionOut:
    changes = with_path_id(call.body, "user_id", call.ids["id"])
    del changes["user_id"]
    return VersionOut(call.engine.patch_user(call.ids["id"], changes))


def _get_user(call: Call) -> dict[str, Any]:
    return call.engine.get_user(call.ids["id"])


def _erase_user(call: Call) -> ErasedOut:
    receipt = call.engine.erase(call.ids["id"])
    return ErasedOut(receipt.user_id, receipt.version, receipt.removed)


def _merge(call: Call) -> VersionOut:
    return VersionOut(call.engine.merge(call.ids["id"], call.body.session_id))


def _find_users(call: Call) -> UsersOut:
    return UsersOut(call.engine.find_users(call.query.prefix, limit=call.query.limit))


def _history(call: Call) -> HistoryOut:
    return HistoryOut(call.ids["id"], call.engine.history(call.ids["id"], limit=call.query.limit))


def _explain(call: Call) -> dict[str, Any]:
    return call.engine.explain(call.ids["id"], call.ids["item"])


def _profile(call: Call) -> dict[str, Any]:
    return call.engine.user_profile(call.ids["id"], language=call.query.language)


def _patch_profile(call: Call) -> VersionOut:
    return VersionOut(call.engine.patch_user_profile(call.ids["id"], call.body))


_ONE, _ALL = "/v1/users/{id}", "/v1/users"

ENDPOINTS = (
    Endpoint("GET", _ONE, _get_user, "Read a person's attributes and number of events.", answer=dict[str, Any]),
    Endpoint("PUT", _ONE, _put_user, "Write a person's attributes.", body=Row, answer=VersionOut, blocking=always),
    Endpoint("PATCH", _ONE, _patch_user, "Change a person's attributes.", body=Row, answer=VersionOut, blocking=always),
    Endpoint("DELETE", _ONE, _erase_user, "Erase a person everywhere.", answer=ErasedOut, blocking=always),
    Endpoint(
        "GET",
        _ALL,
        _find_users,
        "Find people by the beginning of their id.",
        query=FindUsersQuery,
        answer=UsersOut,
        blocking=always,
    ),
    Endpoint("POST", _ALL, _put_users, "Write many people.", body=UsersIn, answer=VersionOut, blocking=always),
    Endpoint(
        "POST",
        f"{_ONE}/merge",
        _merge,
        "Make an anonymous session this person's.",
        body=MergeIn,
        answer=VersionOut,
        blocking=always,
    ),
    Endpoint(
        "GET",
        f"{_ONE}/history",
        _history,
        "A person's events, newest first.",
        query=LimitQuery,
        answer=HistoryOut,
    ),
    Endpoint(
        "GET",
        f"{_ONE}/profile",
        _profile,
        "What is known of a person: likes, aspects that they care about, their own sentence; and the same in words.",
        query=ProfileQuery,
        answer=dict[str, Any],
        blocking=always,
    ),
    Endpoint(
        "PATCH",
        f"{_ONE}/profile",
        _patch_profile,
        "Change a person's profile, such as their own sentence (about); null takes a field back.",
        body=Row,
        answer=VersionOut,
        blocking=always,
    ),
    Endpoint(
        "GET",
        f"{_ONE}/explain/{{item}}",
        _explain,
        "Why an item would be shown to a person: its features and their shares.",
        answer=dict[str, Any],
        blocking=always,
    ),
)
