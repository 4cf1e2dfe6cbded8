"""One hash that says which training rows a model saw, and that anyone can compute again."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import polars as pl

_BLOCK = 100_000
FINGERPRINT_COLUMNS = ("user_id", "item_id", "timestamp", "event")


def fingerprint_rows(frame: pl.DataFrame) -> str:
    """Return the sha256, in hexadecimal, over the sorted rows of (user_id, item_id, timestamp, event).

    Rows are sorted column by column (texts by code point, missing first) and written as compact JSON arrays in UTF-8,
    one a line, each line ended by a newline: ``["17850","85123A",1291191960000,"purchase"]``.
    """
    rows = frame.select(FINGERPRINT_COLUMNS).sort(FINGERPRINT_COLUMNS, nulls_last=False)
    encoder = msgspec.json.Encoder()
    digest = hashlib.sha256()
    for start in range(0, rows.height, _BLOCK):
        digest.update(encoder.encode_lines(rows.slice(start, _BLOCK).rows()))
    return digest.hexdigest()
