"""Parquet files. Their rows are numbered from 1, in the file's order."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np

from inkling.core.arrays import I64
from inkling.core.errors import DataError
from inkling.events.source import Piece, check_file


def read_parquet(path: Path) -> Iterator[Piece]:
    """Yield the whole file as one piece.

    Raises:
        DataError: The file is no parquet, is empty, or is packed once more with zstd.
    """
    import polars as pl

    check_file(path)
    if path.suffix.lower() == ".zst":
        raise DataError(
            f"{path.name}: parquet packed once more with zstd cannot be read.",
            hint=f"Parquet packs its columns itself; unpack it with: unzstd {path.name}",
        )
    try:
        frame = pl.read_parquet(_unpacked(path) if path.suffix.lower() == ".gz" else path)
    except (pl.exceptions.PolarsError, OSError, EOFError, zlib.error) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path.name} is no readable parquet file: {first}.", hint="Write or copy it again.") from error
    if frame.height == 0:
        raise DataError(f"{path.name} is empty: it has columns but no rows.", hint="Export the file again.")

    def raw(row: int) -> str:
        return msgspec.json.encode(frame.row(row, named=True), enc_hook=str).decode()

    yield Piece(frame, _row_numbers, raw)


def _unpacked(path: Path) -> io.BytesIO:
    with gzip.open(path, "rb") as file:
        return io.BytesIO(file.read())


def _row_numbers(rows: I64) -> I64:
    return rows + np.int64(1)
