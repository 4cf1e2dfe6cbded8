"""Where the records of a delimited text lie: exact positions, line numbers and field counts, before anything is parsed.

A line number counts physical lines from 1, the header included; a record with line breaks inside quotes takes several
lines and is known by its first. Blank lines count as lines and are no records.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from inkling.core.arrays import I64, Array, Bool

NEWLINE, RETURN, QUOTE = 10, 13, 34
MAX_OPEN_BYTES = 1 << 20
NOT_UTF8 = "bytes that are not UTF-8"


@dataclass(frozen=True, slots=True)
class Records:
    """The R records of a block: ``block[starts[i]:ends[i]]`` without its line break.

    ``reasons`` names the records that cannot be parsed; ``rewritten`` holds others as a strict parser reads them.
    """

    starts: I64  # (R,)
    ends: I64  # (R,)
    lines: I64  # (R,) line breaks in the block before each record
    consumed: int  # bytes of the block that are done with
    n_lines: int  # line breaks in them
    reasons: dict[int, str] = field(default_factory=dict)
    rewritten: dict[int, bytes] = field(default_factory=dict)

    def good(self) -> Bool:
        """Return which records (R,) can be parsed."""
        mask = np.ones(len(self.starts), dtype=np.bool_)
        mask[list(self.reasons)] = False
        return mask


def find_records(block: bytes, separator: str, n_fields: int, *, quoted: bool, final: bool) -> Records | None:
    """Return the records of a block in one vectorised pass, or None where quotes are misplaced.

    Args:
        block: Text that begins at the start of a record.
        separator: What separates fields, one ASCII character.
        n_fields: How many fields a record has.
        quoted: Whether quotes protect separators and line breaks.
        final: Whether the text ends with this block.
    """
    data = np.frombuffer(block, dtype=np.uint8)
    breaks = data == NEWLINE
    marks = data == ord(separator)
    newlines: I64 | None = None
    if quoted and b'"' in block:
        inside = np.logical_xor.accumulate(data == QUOTE)
        if not _well_quoted(data, inside, ord(separator)) or (final and inside[-1]):
            return None
        newlines = np.flatnonzero(breaks)
        np.logical_not(inside, out=inside)
        breaks &= inside
        marks &= inside
    np.logical_or(marks, breaks, out=marks)
    places = np.flatnonzero(marks)
    if final and not block.endswith(b"\n"):
        places = np.append(places, len(block))
        data = np.append(data, np.uint8(NEWLINE))
    stops = np.flatnonzero(data[places] == NEWLINE)
    consumed = min(int(places[stops[-1]]) + 1, len(block)) if len(stops) else 0
    if not final and len(block) - consumed > MAX_OPEN_BYTES and b'"' in block[consumed:]:
        return None
    return _records(block, data, places, stops, newlines, consumed=consumed, n_fields=n_fields)


def _records(
    block: bytes, data: Array, places: I64, stops: I64, newlines: I64 | None, *, consumed: int, n_fields: int
) -> Records:
    """Tell records apart: ``places`` are all separators and record ends, ``stops`` the positions of the ends in it."""
    n_separators = np.diff(stops, prepend=-1) - 1
    ends = places[stops]
    starts = np.empty_like(ends)
    starts[:1], starts[1:] = 0, ends[:-1] + 1
    lines = np.arange(len(starts)) if newlines is None else np.searchsorted(newlines, starts)
    n_lines = block.count(b"\n", 0, consumed)
    ends -= (ends > starts) & (data[np.maximum(ends - 1, 0)] == RETURN)
    filled = ends > starts
    if not filled.all():
        starts, ends, lines, n_separators = starts[filled], ends[filled], lines[filled], n_separators[filled]
    wrong = np.flatnonzero(n_separators != n_fields - 1)
    reasons = {int(row): wrong_count(int(n_separators[row]) + 1, n_fields) for row in wrong}
    reasons.update(dict.fromkeys(not_utf8(block, starts, ends), NOT_UTF8))
    return Records(starts, ends, lines, consumed, n_lines, reasons)


def wrong_count(n_seen: int, n_expected: int) -> str:
    """Return the reason for a record with too few or too many fields."""
    return f"{n_seen} fields, expected {n_expected}"


def not_utf8(block: bytes, starts: I64, ends: I64) -> list[int]:
    """Return which records hold bytes that are not UTF-8."""
    if block.isascii() or _decodes(block[: int(ends[-1])] if len(ends) else b""):
        return []
    wide = np.flatnonzero(np.frombuffer(block, dtype=np.uint8) >= 0x80)
    rows = np.unique(np.searchsorted(starts, wide, side="right") - 1)
    return [row for row in rows.tolist() if row >= 0 and not _decodes(block[int(starts[row]) : int(ends[row])])]


def _decodes(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _well_quoted(data: Array, inside: Bool, separator: int) -> bool:
    """Tell whether each quote opens at a field's start, closes at its end, or is one of a pair inside."""
    quotes = np.flatnonzero(data == QUOTE)
    before = np.where(quotes > 0, data[quotes - 1], NEWLINE)
    after = np.where(quotes + 1 < len(data), data[np.minimum(quotes + 1, len(data) - 1)], NEWLINE)
    opens = inside[quotes]
    edge_before = (before == separator) | (before == NEWLINE) | (before == QUOTE)
    edge_after = (after == separator) | (after == NEWLINE) | (after == RETURN) | (after == QUOTE)
    return bool(np.where(opens, edge_before, edge_after).all())
