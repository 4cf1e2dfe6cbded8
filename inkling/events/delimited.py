"""Delimited text (csv, tsv) in blocks: records are told apart first, then polars parses those that are whole."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inkling.core.arrays import I64
from inkling.core.errors import DataError
from inkling.events.quotes import find_records_slowly
from inkling.events.records import RETURN, Records, find_records
from inkling.events.source import Piece, read_blocks

if TYPE_CHECKING:
    import polars as pl

DELIMITERS = {",": "a comma", ";": "';'", "\t": "a tab", "|": "'|'"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns, and how many bytes and lines they took."""

    names: list[str]
    n_bytes: int
    n_lines: int


def read_delimited(path: Path, *, delimiter: str, quoted: bool = True) -> Iterator[Piece]:
    """Yield the rows of a delimited file, every cell a String, an empty one null.

    Args:
        path: The file; its first line that is not blank names the columns.
        delimiter: What separates fields, one ASCII character.
        quoted: Whether quotes protect delimiters and line breaks (RFC 4180).

    Raises:
        DataError: There is no header, the delimiter is another one, or the file is not UTF-8 from the start.
    """
    header: Header | None = None
    carry, n_before = b"", 0
    blocks = read_blocks(path)
    block = next(blocks, None)
    while block is not None:
        following = next(blocks, None)
        text = carry + block if carry else block
        if header is None:
            header = find_header(text, path, delimiter, final=following is None)
            if header is None:
                carry, block = text, following
                continue
            text, n_before = text[header.n_bytes :], header.n_lines
        records = _find(text, delimiter, len(header.names), quoted=quoted, final=following is None)
        yield _piece(path, text, records, header, n_before, delimiter=delimiter, quoted=quoted)
        carry, n_before, block = text[records.consumed :], n_before + records.n_lines, following


def find_header(text: bytes, path: Path, delimiter: str, *, final: bool) -> Header | None:
    """Return the header, or None where the text ends before it does.

    Raises:
        DataError: The header is not UTF-8, names a column twice, or shows that the delimiter is another one.
    """
    if text.startswith(_UTF16):
        raise DataError(f"{path.name} is UTF-16, expected UTF-8.", hint="Save it as UTF-8.")
    start = len(codecs.BOM_UTF8) if text.startswith(codecs.BOM_UTF8) else 0
    while text[start : start + 1] in (b"\n", b"\r"):
        start += 1
    stop = text.find(b"\n", start)
    if stop < 0 and not final:
        return None
    line = text[start:] if stop < 0 else text[start:stop]
    if b"\r" in line.removesuffix(b"\r"):
        raise DataError(f"{path.name} ends its lines with CR alone, expected LF or CR LF.", hint="Convert line ends.")
    names = _names(line.removesuffix(b"\r"), path, delimiter)
    end = len(text) if stop < 0 else stop + 1
    return Header(names, end, text.count(b"\n", 0, end))


def _names(line: bytes, path: Path, delimiter: str) -> list[str]:
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name}: the header is not UTF-8 ({error.reason}).", hint="Save it as UTF-8.") from error
    names = [name.strip() for name in next(csv.reader([text], delimiter=delimiter), [])]
    if len(names) == 1:
        for other, word in DELIMITERS.items():
            if other != delimiter and other in text:
                raise DataError(
                    f"{path.name}: {DELIMITERS.get(delimiter, repr(delimiter))} finds one column, {names[0]!r}; "
                    f"{word} would find {text.count(other) + 1}.",
                    hint=f"Write it with {DELIMITERS.get(delimiter, repr(delimiter))}, call a tab-separated file .tsv, "
                    f"or state delimiter = {other!r} in dataset.toml.",
                )
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path.name} names the column {twice[0]!r} twice.", hint="Rename or drop one of them.")
    return names


def _find(text: bytes, delimiter: str, n_fields: int, *, quoted: bool, final: bool) -> Records:
    records = find_records(text, delimiter, n_fields, quoted=quoted, final=final)
    return find_records_slowly(text, delimiter, n_fields, final=final) if records is None else records


def _piece(
    path: Path, text: bytes, records: Records, header: Header, n_before: int, *, delimiter: str, quoted: bool
) -> Piece:
    good = np.flatnonzero(records.good())
    starts, ends = records.starts, records.ends
    first = records.lines + n_before + 1

    def written(record: int) -> str:
        return text[starts[record] : ends[record]].decode("utf-8", errors="backslashreplace")

    def lines(rows: I64) -> I64:
        return first[good[rows]]

    def raw(row: int) -> str:
        return written(int(good[row]))

    broken = [(int(first[record]), reason, written(record)) for record, reason in sorted(records.reasons.items())]
    frame = _parse(_payload(text, records), header.names, delimiter, quoted=quoted)
    if frame.height != len(good):
        raise DataError(
            f"{path.name}: {len(good):,} records after line {n_before} gave {frame.height:,} rows.",
            hint="The quoting is ambiguous; write the file with every text in quotes.",
        )
    return Piece(frame, lines, raw, broken)


def _payload(text: bytes, records: Records) -> bytes:
    """Return the block with the records that cannot be parsed cut out and others put in their strict form."""
    if not records.reasons and not records.rewritten:
        return _run(text, records, 0, len(records.starts))
    parts: list[bytes] = []
    run = 0
    changed = sorted({*records.reasons, *records.rewritten})
    for record in changed:
        parts.append(_run(text, records, run, record))
        if record in records.rewritten:
            parts.append(records.rewritten[record] + b"\n")
        run = record + 1
    parts.append(_run(text, records, run, len(records.starts)))
    return b"".join(parts)


def _run(text: bytes, records: Records, first: int, stop: int) -> bytes:
    """Return the records from ``first`` up to ``stop``, each ended by a line break, without blank lines between."""
    if first >= stop:
        return b""
    starts, ends = records.starts[first:stop], records.ends[first:stop]
    returns = np.frombuffer(text, dtype=np.uint8)[ends[:-1]] == RETURN
    if (starts[1:] - ends[:-1] > 1 + returns).any():
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return b"".join(text[start:end] + b"\n" for start, end in pairs)
    return text[int(starts[0]) : int(ends[-1])] + b"\n"


def _parse(payload: bytes, names: list[str], delimiter: str, *, quoted: bool) -> pl.DataFrame:
    import polars as pl

    if not payload:
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    return pl.read_csv(
        payload,
        has_header=False,
        schema=dict.fromkeys(names, pl.String),
        separator=delimiter,
        quote_char='"' if quoted else None,
    )
