"""Files as blocks of bytes, whatever they are packed in, and the pieces that a reader makes of them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from inkling.core.arrays import I64
from inkling.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

BLOCK_BYTES = 8 << 20  # larger blocks fall out of the cache and are slower
FORMATS = {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
ATOMIC = {"inter": "events", "item": "items", "user": "users", "net": "links"}
_PACKED = (".gz", ".zst")
_MAGIC = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows of a file as they came, with their place in it, and the rows that could not be taken apart.

    ``lines`` and ``raw`` answer for positions in ``frame``: the line number, and the row as it was written.
    """

    frame: pl.DataFrame
    lines: Callable[[I64], I64]
    raw: Callable[[int], str]
    broken: Sequence[tuple[int, str, str]] = field(default_factory=list)  # (line, reason, raw)


def format_of(path: Path) -> str:
    """Return csv, tsv, jsonl, parquet or atomic.

    Raises:
        DataError: The name ends in none of the known formats.
    """
    name = path.name.lower()
    for ending in _PACKED:
        name = name.removesuffix(ending)
    ending = name.rsplit(".", 1)[-1] if "." in name else ""
    if ending in ATOMIC:
        return "atomic"
    if ending not in FORMATS:
        raise DataError(
            f"{path.name}: unknown format '.{ending}'.",
            hint="Expected csv, tsv, jsonl or parquet (plain, .gz or .zst), or RecBole's .inter, .item, .user, .net.",
        )
    return FORMATS[ending]


def read_blocks(path: Path, *, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Yield the unpacked content of a text file in blocks, in order.

    Raises:
        DataError: The file is empty, or packed and damaged.
    """
    check_file(path)
    packing = path.suffix.lower()
    if packing == ".gz":
        yield from _gz_blocks(path, block_bytes)
    elif packing == ".zst":
        yield from _zst_blocks(path, block_bytes)
    else:
        with path.open("rb") as file:
            while block := file.read(block_bytes):
                yield block


def check_file(path: Path) -> None:
    """Raise a DataError where a file is absent, empty, or not packed as its name says."""
    if not path.is_file():
        raise DataError(f"{path.name}: there is no such file.", hint="Check the path.")
    if path.stat().st_size == 0:
        raise DataError(f"{path.name} is empty.", hint="Expected a header and rows; export the file again.")
    magic = _MAGIC.get(path.suffix.lower())
    if magic is not None:
        with path.open("rb") as file:
            seen = file.read(len(magic))
        if seen != magic:
            raise _damaged(path, f"begins with {seen!r}, not with {magic!r}")


def _gz_blocks(path: Path, block_bytes: int) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            while block := file.read(block_bytes):
                yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _damaged(path, str(error)) from error


def _zst_blocks(path: Path, block_bytes: int) -> Iterator[bytes]:
    """Unpack through polars, whose line reader knows zstd: Python itself only does from 3.14 on."""
    import polars as pl

    try:
        lines = pl.read_lines(path)["line"]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error
    step = max(block_bytes // 64, 1)
    for start in range(0, len(lines), step):
        yield "\n".join(lines[start : start + step].to_list()).encode() + b"\n"


def _damaged(path: Path, what: str) -> DataError:
    return DataError(
        f"{path.name} cannot be unpacked: {what}.", hint="The file is damaged or misnamed; pack or copy it again."
    )
