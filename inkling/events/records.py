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

    ``reasons`` names the records that cannot be parsed; ``rewritten`` holds others in a form that a strict parser reads.
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
    newlines = np.flatnonzero(breaks)
    stops = newlines
    if quoted and b'"' in block:
        inside = np.logical_xor.accumulate(data == QUOTE)
        if not _well_quoted(data, inside, ord(separator)) or (final and inside[-1]):
            return None
        stops = newlines[~inside[newlines]]
        marks &= ~inside
    consumed = int(stops[-1]) + 1 if len(stops) else 0
    if final and consumed < len(block):
        stops, consumed = np.append(stops, len(block)), len(block)
    elif not final and len(block) - consumed > MAX_OPEN_BYTES and b'"' in block[consumed:]:
        return None
    return _records(block, data, marks, newlines, stops, consumed, n_fields)


def _records(  # noqa: PLR0913, PLR0917 - the arrays of one pass
    block: bytes, data: Array, marks: Bool, newlines: I64, stops: I64, consumed: int, n_fields: int
) -> Records:
    starts = np.concatenate([[0], stops[:-1] + 1]).astype(np.int64) if len(stops) else np.empty(0, dtype=np.int64)
    ends = stops.astype(np.int64) - ((stops > starts) & (data[np.maximum(stops - 1, 0)] == RETURN))
    n_separators = np.add.reduceat(marks[:consumed].view(np.int8), starts, dtype=np.int32) if len(starts) else starts
    lines = np.searchsorted(newlines, starts)
    filled = ends > starts
    if not filled.all():
        starts, ends, lines, n_separators = starts[filled], ends[filled], lines[filled], n_separators[filled]
    wrong = np.flatnonzero(n_separators != n_fields - 1)
    reasons = {int(row): wrong_count(int(n_separators[row]) + 1, n_fields) for row in wrong}
    reasons.update(dict.fromkeys(not_utf8(block, starts, ends), NOT_UTF8))
    n_lines = int(np.searchsorted(newlines, consumed))
    return Records(starts, ends, lines, consumed, n_lines, reasons)


def wrong_count(n_seen: int, n_expected: int) -> str:
    """Return the reason for a record with too few or too many fields."""
    return f"{n_seen} fields, expected {n_expected}"


def not_utf8(block: bytes, starts: I64, ends: I64) -> list[int]:
    """Return which records hold bytes that are not UTF-8."""
    if block.isascii() or _decodes(block[: int(ends[-1])] if len(ends) else b""):
        return []
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    return [row for row, (start, end) in enumerate(pairs) if not _decodes(block[start:end])]


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
