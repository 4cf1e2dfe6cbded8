"""Toy event logs in a few characters, and what a split made of them in plain ids, so that tests can be read by hand."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import msgspec
import polars as pl

from inkling.core.scenario import Cleaning, Scenario
from inkling.core.tables import Events, Items
from inkling.protocol.fold import Fold
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec
from inkling.protocol.splits import split

Row = tuple[Any, ...]
SHOP = Scenario(positive={"buy": 1.0}, seen="keep", takes_back={"cancel": "buy"})
_SCHEMA = {"user_id": pl.String, "item_id": pl.String, "timestamp": pl.Int64, "event": pl.String, "value": pl.Float32}


def events(rows: Sequence[Row], **columns: list[str | None]) -> Events:
    """Return events from rows of (user, item, time) or (user, item, time, event), with further columns of text."""
    full = [(*(*row, "buy")[:4], 1.0) for row in rows]
    frame = pl.DataFrame(full, schema=_SCHEMA, orient="row")
    return Events(frame.with_columns(*(pl.Series(name, values, dtype=pl.String) for name, values in columns.items())))


def catalogue(ids: str, **columns: list[Any]) -> Tables:
    """Return a catalogue of items named by one character each."""
    return Tables(items=Items(pl.DataFrame({"item_id": list(ids), **columns})))


def scenario(**changes: Any) -> Scenario:
    """Return the toy shop's scenario with other settings, rules of cleaning among them."""
    rules = {name: changes.pop(name) for name in list(changes) if name in Cleaning.__struct_fields__}
    cleaning = msgspec.structs.replace(SHOP.cleaning, **rules)
    return msgspec.structs.replace(SHOP, cleaning=cleaning, **changes)


def folds_of(
    rows: Sequence[Row] | Events, tables: Tables | None = None, own: Scenario = SHOP, **spec: Any
) -> list[Fold]:
    """Return the folds of a toy log under the settings in ``spec``."""
    table = rows if isinstance(rows, Events) else events(rows)
    return split(table, own, tables or Tables(), ProtocolSpec(**spec))


def targets(fold: Fold) -> dict[str, list[str]]:
    """Return person -> target items, question by question."""
    out: dict[str, list[str]] = {}
    for position, user in enumerate(fold.train.user_ids.ids(fold.user_rows)):
        out.setdefault(user, []).extend(fold.train.item_ids.ids(fold.targets[position]))
    return out


def histories(fold: Fold) -> list[str]:
    """Return the items in the history of each question, oldest first, as one word."""
    history = fold.query().history
    return ["".join(fold.train.item_ids.ids(history.item_rows[a:b])) for a, b in pairwise(history.offsets.tolist())]


def people(fold: Fold, group: str) -> str:
    """Return the people of a group as one word."""
    if group not in fold.groups:
        return ""
    return "".join(fold.train.user_ids.ids(fold.user_rows[fold.groups[group].people]))


def trained(fold: Fold) -> list[str]:
    """Return the training events in order, as person and item."""
    rows = fold.train.interactions
    users, items = fold.train.user_ids.ids(rows.user_rows), fold.train.item_ids.ids(rows.item_rows)
    return [user + item for user, item in zip(users, items, strict=True)]


def candidates(fold: Fold) -> str:
    """Return what may be recommended as one sorted word."""
    return "".join(sorted(key for key, yes in zip(fold.train.item_ids, fold.candidates, strict=True) if yes))
