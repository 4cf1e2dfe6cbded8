"""The limits of a talk: which items they let through, and how they are said in English and Chinese."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, Array, Bool
from inkling.core.recommendation import Reason, RecommendedItem
from inkling.engine.answers import Chain, Limit
from inkling.engine.pipeline import Reads

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews
    from inkling.engine.pipeline import Pipeline

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_NAMED_BY = ("title", "categories", "description", "brand", "tags", "genres", "keywords")
_NEAR = 0.45
_ZH_KINDS = ("片", "类", "色")
_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "price.lt": "cheaper than {}",
        "price.lte": "at most {}",
        "price.gt": "more than {}",
        "price.gte": "at least {}",
        "created_at.lt": "older than {}",
        "created_at.gt": "newer than {}",
        "popularity.lt": "less popular",
        "popularity.gt": "more popular",
        "ne": "not by {}",
        "like": "like “{}”",
        "unlike": "not like “{}”",
        "without": "without {}",
    },
    "zh": {
        "price.lt": "低于{}",
        "price.lte": "不超过{}",
        "price.gt": "高于{}",
        "price.gte": "不低于{}",
        "created_at.lt": "早于{}",
        "created_at.gt": "晚于{}",
        "popularity.lt": "更冷门",
        "popularity.gt": "更热门",
        "ne": "不要{}",
        "like": "类似《{}》",
        "unlike": "不像《{}》",
        "without": "不含{}",
    },
}


def values(name: str, views: LiveViews, rows: I32) -> F64:
    """Return a field of the items at ``rows`` as numbers (N,); NaN or infinite where it is not known."""
    n = len(views.item_ids)
    if name == "popularity":
        return views.popularity(n)[rows].astype(np.float64)
    if name == "created_at":
        return views.catalog.created(n)[rows]
    known = [(views.catalog.get(row) or {}).get(name) for row in rows.tolist()]
    return np.array([_number(value) for value in known], dtype=np.float64)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else np.nan


def passing(limits: Sequence[Limit], views: LiveViews, n_items: int) -> Bool:
    """Return (n_items,) which items pass all limits; one whose value is not known passes none but ``ne``."""
    mask = np.ones(n_items, dtype=np.bool_)
    for limit in limits:
        mask &= _passing(limit, views, n_items)
    return mask


def _passing(limit: Limit, views: LiveViews, n_items: int) -> Bool:
    if limit.field in ("popularity", "created_at"):
        known: Array = views.popularity(n_items) if limit.field == "popularity" else views.catalog.created(n_items)
        found: Bool = np.isfinite(known) & _COMPARE[limit.op](known, limit.value)
        return found
    if limit.field not in views.catalog.fields:
        return np.full(n_items, limit.op == "ne", dtype=np.bool_)
    test = {"field": limit.field, "op": limit.op, "value": limit.value}
    return views.catalog.mask({"all": [test]}, n_items=n_items)


def named(words: str, views: LiveViews, n_items: int) -> Bool:
    """Return (n_items,) which items have these words in their title, categories, description or brand."""
    mask = np.zeros(n_items, dtype=np.bool_)
    known = set(views.catalog.fields)
    for form in _forms(words):
        for name in _NAMED_BY:
            if name in known:
                test = {"field": name, "op": "contains", "value": form}
                mask |= views.catalog.mask({"all": [test]}, n_items=n_items)
    return mask & _whole_words(words, views, mask)


def _forms(words: str) -> tuple[str, ...]:
    if not words.isascii():
        return (words, *(words + kind for kind in _ZH_KINDS))
    one = words[:-1] if len(words) > 3 and words.lower().endswith("s") else words
    return tuple(dict.fromkeys((words, one, one + "s")))


def _whole_words(words: str, views: LiveViews, found: Bool) -> Bool:
    """Return which of the found items have it as words of their own: ``red`` is not in ``bored``."""
    if not words.isascii():
        return found
    stem = re.escape(_forms(words)[-1][:-1])
    whole = re.compile(rf"(?<![A-Za-z0-9]){stem}(?:s|es)?(?![A-Za-z0-9])", re.IGNORECASE)
    out = found.copy()
    for row in np.flatnonzero(found).tolist():
        item = views.catalog.get(row) or {}
        said = " \n ".join(_text(item.get(name)) for name in _NAMED_BY)
        out[row] = whole.search(said) is not None
    return out


def _parts(value: Any) -> list[str]:
    return [part for part in value if isinstance(part, str)] if isinstance(value, (list, tuple)) else []


def _text(value: Any) -> str:
    return " \n ".join(_parts(value)) if isinstance(value, (list, tuple)) else str(value or "")


def item_vectors(pipeline: Pipeline, n_items: int) -> F32:
    """Return the items' vectors (at most n_items, dim); none where the pipeline does not read."""
    return pipeline.vectors[:n_items] if isinstance(pipeline, Reads) else np.zeros((0, 0), dtype=np.float32)


def near(pipeline: Pipeline, vectors: F32, words: str, n_items: int) -> Bool:
    """Return (n_items,) which items read like words that none of them names."""
    if not vectors.size or not isinstance(pipeline, Reads):
        return np.zeros(n_items, dtype=np.bool_)
    return _wide(vectors @ pipeline.encode([words])[pipeline.encoder][0] >= _NEAR, n_items)


def like(vectors: F32, row: int, least: float, n_items: int) -> Bool:
    """Return (n_items,) which items read much like the one at ``row``, which is one of them."""
    found = _wide(vectors @ vectors[row] >= least, n_items) if row < len(vectors) else np.zeros(n_items, dtype=np.bool_)
    found[row] = True
    return found


def _wide(mask: Bool, n_items: int) -> Bool:
    return np.pad(mask, (0, n_items - len(mask)))


def words(chain: Chain, title_of: Callable[[str], str], language: str) -> tuple[str, ...]:
    """Return what a talk asks for, each limit in words: ``cheaper than 4.95``, 低于4.95."""
    known = _WORDS.get(language, _WORDS["en"])
    out = []
    for limit in chain.limits:
        template = known.get("ne" if limit.op == "ne" else f"{limit.field}.{limit.op}", "{}")
        out.append(template.format(number(limit)))
    out += [known["like"].format(title_of(item_id)) for item_id in chain.like]
    out += [known["unlike"].format(title_of(item_id)) for item_id in chain.unlike]
    out += [known["without"].format(word) for word in chain.without]
    return tuple(dict.fromkeys(out))


def number(limit: Limit) -> str:
    """Return a limit's value as people write it."""
    if isinstance(limit.value, str):
        return limit.value
    if limit.field == "created_at":
        try:
            return datetime.fromtimestamp(limit.value / 1000, tz=UTC).date().isoformat()
        except (ValueError, OverflowError, OSError):
            return str(limit.value)
    return f"{limit.value:.2f}".rstrip("0").rstrip(".")


def told(line: RecommendedItem, understood: Sequence[str], language: str) -> RecommendedItem:
    """Return a line whose reason says first what was understood."""
    if line.reason is None or not understood:
        return line
    if language == "zh":
        text = f"{'，'.join(understood)}。{line.reason.text}"
    else:
        first = ", ".join(understood)
        text = f"{first[0].upper()}{first[1:]}. {line.reason.text}"
    reason: Reason = msgspec.structs.replace(line.reason, text=text)
    return msgspec.structs.replace(line, reason=reason)
