"""Times as people write them (seconds, milliseconds, ISO 8601) to UTC epoch milliseconds; positions stay as they are.

A number's unit is told by its size: below 1e8 it is a position (or a second of 1970 to 1973 among real times), below
1e11 seconds, below 1e14 milliseconds; anything larger is no time here. A column that mixes seconds and milliseconds has
no safe reading: up to 1% of the other unit is put aside row by row, more of it is an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from inkling.core.errors import DataError
from inkling.core.scenario import Time

if TYPE_CHECKING:
    import polars as pl

SMALL, SECONDS, MILLIS = 1e8, 1e11, 1e14
MISSING = "no timestamp"
UNREADABLE = "timestamp is no number and no ISO 8601 time"
OUT_OF_RANGE = "timestamp is too large for milliseconds"
MIXED = "timestamp is of another unit (seconds, milliseconds) than its column"
MIXED_SHARE = 0.01
MANY_EQUAL = 10
"""Up to so many equal times of the present may well be real: one invoice."""
_ZONED = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z")
_NAIVE = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d")
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?\s?(Z|z|[+-]\d{2}:?(\d{2})?)?)?$"


class TimeReader:
    """Reads the blocks of one column of times, and knows at the end what its numbers meant."""

    def __init__(self, time: Time | None, *, where: str = "timestamp") -> None:
        """Read for data whose times are ``time``; None leaves it to be guessed from the numbers."""
        self.time = time
        self.where = where
        self._counts = {"small": 0, "s": 0, "ms": 0, "iso": 0}
        self._range = (float("inf"), float("-inf"))
        self._unit = ""

    def parse(self, column: pl.Series) -> tuple[pl.Series, dict[str, pl.Series]]:
        """Return times as Int64 (N,), null where unreadable, and reason -> mask (N,) of the rows it holds for."""
        import polars as pl

        numbers, iso = split_times(column)
        empty = (column.is_null() | (column == "")) if column.dtype == pl.String else column.is_null()
        bad = {MISSING: empty, UNREADABLE: numbers.is_null() & iso.is_null() & ~empty}
        if self.time in ("order", "none"):
            return _or(numbers.round(0).cast(pl.Int64, strict=False), iso), bad
        if self._all_seconds(numbers) and self._unit != "ms":
            return self._take_seconds(numbers, iso), bad
        size = numbers.abs()
        is_s, is_ms = (size >= SMALL) & (size < SECONDS), (size >= SECONDS) & (size < MILLIS)
        self._count(numbers, is_s, is_ms, iso)
        bad[OUT_OF_RANGE] = (size >= MILLIS).fill_null(value=False)
        bad[MIXED] = (is_ms if self._unit == "s" else is_s).fill_null(value=False)
        millis = pl.select(pl.when(size < SECONDS).then((numbers * 1000).round(0)).when(size < MILLIS).then(numbers))
        return _or(millis.to_series().cast(pl.Int64, strict=False), iso), bad

    def finish(self) -> tuple[Time, int, str]:
        """Return what the times mean, what to divide them by, and a sentence where it was guessed ("" otherwise).

        Raises:
            DataError: Seconds and milliseconds are mixed.
        """
        n_s, n_ms = self._counts["s"], self._counts["ms"]
        if min(n_s, n_ms) > MIXED_SHARE * (n_s + n_ms):
            raise DataError(
                f"{self.where}: {n_s:,} times look like seconds and {n_ms:,} like milliseconds; one unit was expected.",
                hint="Convert the column to one unit, or write ISO 8601 times.",
            )
        if self.time is not None:
            return self.time, 1, ""
        low, high = self._range
        enough = 1 if high < SMALL else MANY_EQUAL
        if self._counts["iso"] == 0 and low == high and self._counts["small"] + n_s + n_ms > enough:
            return "none", 1000 if high < SECONDS else 1, f'{self.where}: all times are equal, read as time = "none".'
        if self._counts["small"] > 0 and n_s + n_ms + self._counts["iso"] == 0:
            return "order", 1000, f'{self.where}: all numbers are below {SMALL:,.0f}, read as time = "order".'
        return "real", 1, f'{self.where}: read as time = "real".'

    def _all_seconds(self, numbers: pl.Series) -> bool:
        """Tell whether a block holds seconds of the present alone, as most files do: then no cell needs a look."""
        low, high = _span(numbers)
        return SMALL <= low <= high < SECONDS

    def _take_seconds(self, numbers: pl.Series, iso: pl.Series) -> pl.Series:
        import polars as pl

        low, high = _span(numbers)
        self._unit = "s"
        self._counts["s"] += len(numbers) - numbers.null_count()
        self._counts["iso"] += len(iso) - iso.null_count()
        self._range = (min(self._range[0], low), max(self._range[1], high))
        millis = numbers * 1000 if numbers.dtype == pl.Int64 else (numbers * 1000).round(0).cast(pl.Int64)
        return _or(millis, iso)

    def _count(self, numbers: pl.Series, is_s: pl.Series, is_ms: pl.Series, iso: pl.Series) -> None:
        n_s, n_ms, n = int(is_s.sum()), int(is_ms.sum()), len(numbers) - numbers.null_count()
        found = {"small": int((numbers.abs() < SMALL).sum()), "s": n_s, "ms": n_ms, "iso": len(iso) - iso.null_count()}
        self._counts = {name: total + found[name] for name, total in self._counts.items()}
        if not self._unit and n_s + n_ms:
            self._unit = "s" if n_s >= n_ms else "ms"
        if n:
            low, high = _span(numbers)
            self._range = (min(self._range[0], low), max(self._range[1], high))


def _span(numbers: pl.Series) -> tuple[float, float]:
    """Return the smallest and the largest number; (inf, -inf) where there is none."""
    if numbers.null_count() == len(numbers):
        return float("inf"), float("-inf")
    return float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]


def split_times(column: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return the column's numbers (N,) and its calendar times (N,) as Int64 milliseconds; each null where not one."""
    import polars as pl

    nothing = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(column))
    if column.dtype.is_temporal():
        return nothing, _calendar_ms(column)
    if column.dtype.is_numeric():
        numbers = column.cast(pl.Float64) if column.dtype.is_float() else column.cast(pl.Int64, strict=False)
        return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series(), nothing
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() == 0:
        return whole, nothing
    if column.dtype != pl.String:
        return nothing, nothing
    broken = column.str.strip_chars().cast(pl.Float64, strict=False)
    numbers = pl.select(pl.when(broken.is_finite()).then(broken)).to_series()
    return numbers, parse_iso(pl.select(pl.when(numbers.is_null()).then(column)).to_series())


def parse_iso(column: pl.Series) -> pl.Series:
    """Return ISO 8601 texts (N,) as Int64 milliseconds; UTC where no zone is written; null where it is no such time."""
    import polars as pl

    text = column.str.strip_chars()
    iso = pl.select(pl.when(text.str.contains(_ISO)).then(text)).to_series()
    if iso.null_count() == len(iso):
        return iso.cast(pl.Int64)
    iso = iso.str.replace(" ", "T").str.replace(r"\s?[Zz]$", "+00:00").str.replace(",", ".").str.replace(r"\s", "")
    zoned = iso.str.contains(r"T.*[+-]\d{2}:?(\d{2})?$").fill_null(value=False)
    out = pl.Series([None], dtype=pl.Int64).new_from_index(0, len(iso))
    for formats, mask in ((_ZONED, zoned), (_NAIVE, ~zoned)):
        for form in formats:
            left = pl.select(pl.when(mask & out.is_null()).then(iso)).to_series()
            if left.null_count() < len(left):
                out = _or(out, _strptime(left, form, zoned=formats is _ZONED))
    return out


def _strptime(texts: pl.Series, form: str, *, zoned: bool) -> pl.Series:
    import polars as pl

    if form == "%Y-%m-%d":
        return texts.str.to_date(form, strict=False).cast(pl.Datetime("ms")).dt.epoch("ms")
    kind = pl.Datetime("ms", "UTC") if zoned else pl.Datetime("ms")
    return texts.str.strptime(kind, form, strict=False).dt.epoch("ms")


def _calendar_ms(column: pl.Series) -> pl.Series:
    import polars as pl

    times = column.cast(pl.Datetime("ms")) if column.dtype == pl.Date else column
    return times.dt.epoch("ms") if isinstance(times.dtype, pl.Datetime) else times.cast(pl.Int64, strict=False)


def _or(first: pl.Series, second: pl.Series) -> pl.Series:
    import polars as pl

    if second.null_count() == len(second):
        return first
    return pl.select(pl.coalesce(first, second)).to_series()
