"""Two measurements with one fingerprint asked the same question: protocol, targets and candidates are equal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from inkling.protocol.fold import Fold


def line(value: Any) -> bytes:
    """Return a value as one line of UTF-8 JSON: sorted keys, no spaces, no escapes beyond JSON's own."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def fingerprint_of(protocol: Mapping[str, Any], pairs: Iterable[tuple[str, str]], candidate_ids: Iterable[str]) -> str:
    """Return the sha256 (hex) over JSON lines: the protocol, the sorted target pairs, the sorted candidate ids.

    Args:
        protocol: The protocol's settings.
        pairs: ``(user_id, item_id)`` of each target.
        candidate_ids: What may be recommended.
    """
    digest = hashlib.sha256(line(protocol))
    _add(digest, pairs, candidate_ids)
    return digest.hexdigest()


def fingerprint(protocol: Mapping[str, Any], folds: Sequence[Fold]) -> str:
    """Return the fingerprint of a measurement; with several folds their pairs and candidates follow fold by fold."""
    digest = hashlib.sha256(line(protocol))
    for fold in folds:
        _add(digest, target_pairs(fold), candidate_ids(fold))
    return digest.hexdigest()


def target_pairs(fold: Fold) -> list[tuple[str, str]]:
    """Return ``(user_id, item_id)`` of every target of a fold."""
    owners = np.repeat(fold.user_rows, np.diff(fold.targets.offsets))
    users, items = fold.train.user_ids.ids(owners), fold.train.item_ids.ids(fold.targets.values)
    return list(zip(users, items, strict=True))


def candidate_ids(fold: Fold) -> list[str]:
    """Return the ids of what may be recommended in a fold."""
    return fold.train.item_ids.ids(np.flatnonzero(fold.candidates).astype(np.int32))


def _add(digest: hashlib._Hash, pairs: Iterable[tuple[str, str]], ids: Iterable[str]) -> None:
    for pair in sorted(pairs):
        digest.update(line(list(pair)))
    for key in sorted(ids):
        digest.update(line(key))
