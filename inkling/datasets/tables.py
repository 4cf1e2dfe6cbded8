"""Public sets that are no event logs: slates with propensities, reviews and sentences with sentiment, as tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from inkling.core.errors import DataError, NotFoundError, nearest
from inkling.datasets.catalog import data_root

if TYPE_CHECKING:
    import polars as pl

_PARTS = ("train", "val", "test")


def load_tables(name: str, root: str | Path | None = None) -> dict[str, pl.DataFrame]:
    """Load a set by name as named tables.

    ``open-bandit``: ``<policy>-<campaign>/log`` and ``/items``. ``mams``: ``terms`` (part, sentence, text, term, begin,
    end, polarity) and ``categories`` (part, sentence, text, category, polarity). ``waimai``: ``reviews`` (sentiment,
    comment).

    Args:
        name: One of ``table_names()``.
        root: The folder that holds the sets; ``INKLING_DATA`` where it is left out.

    Raises:
        NotFoundError: There is no set of that name.
        DataError: No folder was given, or it does not hold the set.
    """
    if name not in _LOADERS:
        raise NotFoundError(f"There is no set of tables named '{name}'.", hint=nearest(name, _LOADERS))
    folder = data_root(name, root) / name
    if not folder.is_dir():
        raise DataError(f"'{folder.parent.name}' holds no data set '{name}'.", hint="Name another folder.")
    return _LOADERS[name](folder)


def table_names() -> list[str]:
    """Return the names of all sets of tables, sorted."""
    return sorted(_LOADERS)


def _parquets(folder: Path) -> dict[str, pl.DataFrame]:
    import polars as pl

    found = sorted(folder.rglob("*.parquet"))
    return {path.relative_to(folder).with_suffix("").as_posix(): pl.read_parquet(path) for path in found}


def _mams(folder: Path) -> dict[str, pl.DataFrame]:
    import polars as pl

    terms, categories = [], []
    for part in _PARTS:
        for number, text, aspect in _aspects(folder / "MAMS-ATSA" / f"{part}.xml", "aspectTerms/aspectTerm"):
            span = int(aspect["from"]), int(aspect["to"])
            terms.append((part, number, text, aspect["term"], *span, aspect["polarity"]))
        for number, text, aspect in _aspects(folder / "MAMS-ACSA" / f"{part}.xml", "aspectCategories/aspectCategory"):
            categories.append((part, number, text, aspect["category"], aspect["polarity"]))
    return {
        "terms": pl.DataFrame(
            terms, schema=["part", "sentence", "text", "term", "begin", "end", "polarity"], orient="row"
        ),
        "categories": pl.DataFrame(
            categories, schema=["part", "sentence", "text", "category", "polarity"], orient="row"
        ),
    }


def _aspects(path: Path, inside: str) -> list[tuple[int, str, dict[str, str]]]:
    """Return sentence number, text and attributes of each aspect in a file."""
    try:
        sentences = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.", hint="Copy the data set again.") from error
    return [
        (number, sentence.findtext("text", ""), dict(aspect.attrib))
        for number, sentence in enumerate(sentences)
        for aspect in sentence.iterfind(inside)
    ]


_LOADERS: dict[str, Callable[[Path], dict[str, pl.DataFrame]]] = {
    "open-bandit": _parquets,
    "mams": _mams,
    "waimai": _parquets,
}
