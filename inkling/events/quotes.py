"""The slow, forgiving way through a block whose quotes are misplaced: a stray quote costs one line, not the rest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from inkling.events.records import MAX_OPEN_BYTES, NOT_UTF8, Records, not_utf8, wrong_count

UNCLOSED = "a quote is opened and never closed"
MISPLACED = "a quote in the middle of a field, and not the expected number of fields"
MAX_RECORD_LINES = 200


@dataclass(slots=True)
class _Found:
    """What has been found so far."""

    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    rewritten: dict[int, bytes] = field(default_factory=dict)

    def add(self, start: int, end: int, line: int) -> int:
        """Note a record and return its position."""
        self.starts.append(start)
        self.ends.append(end)
        self.lines.append(line)
        return len(self.starts) - 1


class Grammar:
    """What a record looks like with one separator, as RFC 4180 has it."""

    def __init__(self, separator: str) -> None:
        mark = re.escape(separator)
        plain, protected = rf'[^"{mark}]*', r'"(?:[^"]|"")*"'
        self.separator = separator.encode()
        self.field = re.compile(rf"(?:{protected}|{plain})(?:{mark}|$)".encode())
        self.record = re.compile(rf"(?:{protected}|{plain})(?:{mark}(?:{protected}|{plain}))*".encode())
        self.open = re.compile(rf'(?:(?:{protected}|{plain}){mark})*"(?:[^"]|"")*'.encode())

    def n_fields(self, record: bytes) -> int:
        """Return how many fields a well-formed record has."""
        if b'"' not in record:
            return record.count(self.separator) + 1
        stripped = re.sub(rb'"(?:[^"]|"")*"', b"", record)
        return stripped.count(self.separator) + 1

    def literal(self, line: bytes) -> bytes:
        """Return a line whose quotes mean nothing in a form in which they are protected."""
        fields = line.split(self.separator)
        return self.separator.join(b'"' + part.replace(b'"', b'""') + b'"' for part in fields)


def find_records_slowly(block: bytes, separator: str, n_fields: int, *, final: bool) -> Records:
    """Return the records of a block whose quotes are misplaced (see ``records.find_records`` for the arguments).

    A line whose quotes are well placed is a record; so are several lines that close a field which the first one opens
    (up to 200 lines). A line with stray quotes is a record if it has the right number of fields when its quotes mean
    nothing; they are then part of the text. Any other line is put aside alone, and the next line starts afresh.
    """
    grammar, found = Grammar(separator), _Found()
    position = n_lines = 0
    while position < len(block):
        stop = block.find(b"\n", position)
        if stop < 0 and not final:
            break
        stop = len(block) if stop < 0 else stop
        line = block[position:stop].removesuffix(b"\r")
        end = position + len(line)
        if line and b'"' in line and grammar.record.fullmatch(line) is None and grammar.open.fullmatch(line):
            longer = _extend(block, position, stop, grammar, n_fields, final=final)
            if longer is None:
                break
            stop, end = longer if longer[0] > 0 else (stop, end)
        if line:
            _judge(block[position:end], found.add(position, end, n_lines), grammar, n_fields, found)
        n_lines += block.count(b"\n", position, stop + 1)
        position = min(stop + 1, len(block))
    return _as_records(block, found, position, n_lines)


def _extend(
    block: bytes, start: int, stop: int, grammar: Grammar, n_fields: int, *, final: bool
) -> tuple[int, int] | None:
    """Return where a record over several lines stops and ends, (0, 0) for none, None if it needs more text."""
    for _ in range(MAX_RECORD_LINES):
        if stop >= len(block) or stop - start > MAX_OPEN_BYTES:
            break
        stop = block.find(b"\n", stop + 1)
        if stop < 0 and not final:
            return None
        stop = len(block) if stop < 0 else stop
        text = block[start:stop].removesuffix(b"\r")
        if grammar.record.fullmatch(text) and grammar.n_fields(text) == n_fields:
            return stop, start + len(text)
    return (0, 0)


def _judge(record: bytes, index: int, grammar: Grammar, n_fields: int, found: _Found) -> None:
    if grammar.record.fullmatch(record):
        n_seen = grammar.n_fields(record)
        if n_seen != n_fields:
            found.reasons[index] = wrong_count(n_seen, n_fields)
    elif grammar.open.fullmatch(record):
        found.reasons[index] = UNCLOSED
    elif record.count(grammar.separator) + 1 == n_fields:
        found.rewritten[index] = grammar.literal(record)
    else:
        found.reasons[index] = MISPLACED


def _as_records(block: bytes, found: _Found, consumed: int, n_lines: int) -> Records:
    starts, ends, lines = (np.array(part, dtype=np.int64) for part in (found.starts, found.ends, found.lines))
    found.reasons.update(dict.fromkeys(not_utf8(block, starts, ends), NOT_UTF8))
    return Records(starts, ends, lines, consumed, n_lines, found.reasons, found.rewritten)
