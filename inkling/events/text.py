"""Texts as people see them: no HTML, composed Unicode, single spaces."""

from __future__ import annotations

import html
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

_HIDDEN = re.compile(r"<(script|style)\b[^>]*>.*?(</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(-->|$)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<![A-Za-z][^<>]*>")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]")
_INLINE = re.compile(
    r"</?(a|abbr|b|bdi|cite|code|em|font|i|mark|q|s|small|span|strong|sub|sup|u)\b[^<>]*>", re.IGNORECASE
)
_DIRTY = r"[^\x20-\x7e]|[<&]|  |^ | $"


def clean_text(text: str) -> str:
    """Return ``text`` without HTML, in Unicode NFC, without control characters, its white space folded.

    Tags fall away (a block's tag leaves a space, an inline one nothing), scripts, styles and comments with what is in
    them; entities become their characters, once. ``a < b`` is no tag and stays. NFC keeps what NFKC would change: full
    width forms, ligatures, superscripts.
    """
    if "<" in text:
        text = _COMMENT.sub(" ", _HIDDEN.sub(" ", text))
        text = _TAG.sub(" ", _INLINE.sub("", text))
    if "&" in text:
        text = html.unescape(text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    return " ".join(_CONTROL.sub("", text).split())


def clean_column(column: pl.Series) -> tuple[pl.Series, int]:
    """Return a column of texts (N,) cleaned, and how many cells changed; a text of nothing becomes missing.

    Plain ASCII without ``<``, ``&`` and double spaces is recognised at once and left as it is.
    """
    import polars as pl

    dirty = column.str.contains(_DIRTY).fill_null(value=False)
    if not dirty.any():
        return column, 0
    rows = dirty.arg_true()
    before = column.gather(rows).to_list()
    after = [clean_text(text) or None for text in before]
    n_changed = sum(old != new for old, new in zip(before, after, strict=True))
    return (column.scatter(rows, pl.Series(after, dtype=pl.String)), n_changed) if n_changed else (column, 0)
