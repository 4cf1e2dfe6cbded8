"""What is measured: data sets, how they are split, and which models they can carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

DEFAULT, FROZEN, LAST = "default", "default-frozen", "last-action"
BASELINES = ("popular", "popular-7d", "repeat", "markov", "itemknn", "ease")
LINEAR = ("userknn", "slim")
FACTORS = ("als", "bpr", "softmax_cf")
GRAPH = ("lightgcn", "two_tower", "ncf")
SEQUENCE = ("sasrec", "hstu", "gru4rec", "caser", "bert4rec")
LANGUAGE = ("semantic", "forward")
WINDOWS = ("popular-1d", "popular-7d", "popular-30d")
_TIMED = ("popular", *WINDOWS, "repeat", "markov", "itemknn", "ease", *LINEAR, *FACTORS, *GRAPH, *SEQUENCE)
_ORDERED = tuple(name for name in _TIMED if name not in WINDOWS)
_LOOSE = tuple(name for name in _ORDERED if name not in (*SEQUENCE, "markov"))
CUTS = (0.5, 0.6, 0.7, 0.8, 0.9)
SETS = {
    "baselines": ("popular", *WINDOWS, "repeat", LAST, "markov", "itemknn", "ease", DEFAULT, FROZEN),
    "linear": ("itemknn", "ease", *LINEAR),
    "factors": FACTORS,
    "graph": (*GRAPH, "social"),
    "sequence": SEQUENCE,
    "language": LANGUAGE,
}
"""Words that stand for several models in ``--models``."""


@dataclass(frozen=True)
class Task:
    """One measurement.

    Attributes:
        name: In files and titles.
        data: Name of the data set.
        seen: keep or drop.
        split: Empty for what the data can carry.
        cuts: Shares of the events before each cut; several are pooled.
        ks: Places that the metrics look at.
        refit: Whether the last fit also learns each person's validation event (``loo`` only).
        without: Columns of the catalogue that nobody gets to see, or ``links``.
        models: Those that the data can carry.
        goal: By what share ``default`` should be above the best baseline; None where nothing was promised.
        fixed: Model -> settings that bound its cost here.
    """

    name: str
    data: str
    seen: str
    split: str = ""
    cuts: tuple[float, ...] = (0.9,)
    ks: tuple[int, ...] = (10,)
    refit: bool = False
    without: tuple[str, ...] = ()
    models: tuple[str, ...] = (*_TIMED, DEFAULT)
    goal: float | None = None
    fixed: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def refits(self) -> str:
        """Return what the last fit has seen beside the training part, in a word."""
        if self.split == "loo":
            return "refit" if self.refit else "no refit"
        return "as given" if self.split == "given" else "no refit" if self.split == "random" else "to the cut"


_BOUND = {"ease": {"max_items": 6000}}  # 17,632 items make a matrix that costs minutes to invert
_BASE = {DEFAULT: {"deep_minutes": 0.0}}  # what the base installation learns, and ``make demo``
_SHOP = (*_TIMED, *LANGUAGE, DEFAULT)
MAIN = (
    Task("online-retail-keep", "online-retail", "keep", models=_SHOP, goal=0.05, fixed=_BASE),
    Task("online-retail-drop", "online-retail", "drop", models=_SHOP, goal=0.10, fixed=_BASE),
)
TASKS = (
    Task("beauty", "beauty", "drop", split="loo", models=(*_ORDERED, *LANGUAGE, DEFAULT)),
    Task("beauty-refit", "beauty", "drop", split="loo", refit=True, models=(*_ORDERED, *LANGUAGE, DEFAULT)),
    Task("beauty-ids", "beauty", "drop", split="loo", without=("title",), models=(DEFAULT,)),
    *MAIN,
    Task("movielens-small", "movielens-small", "drop", cuts=CUTS, models=(*_TIMED, *LANGUAGE, DEFAULT)),
    Task("musical-reviews", "musical-reviews", "drop", cuts=CUTS),
    Task("insurance", "insurance", "keep"),
    Task("questions", "questions", "keep", split="replay", models=(*_TIMED, *LANGUAGE, DEFAULT, FROZEN)),
    Task("smarthome", "smarthome", "keep", split="given", ks=(1, 10), models=(LAST, *_ORDERED, DEFAULT)),
    Task("lastfm", "lastfm", "drop", split="random", models=(*_LOOSE, "social", *LANGUAGE, DEFAULT), fixed=_BOUND),
    Task("lastfm-alone", "lastfm", "drop", split="random", without=("links",), models=(DEFAULT,), fixed=_BOUND),
)
METRICS = ("ndcg", "recall", "hit", "mrr")
UNSEEDED = ("popular", *WINDOWS, "repeat", LAST, "markov", "itemknn", "userknn", "ease", "slim", *LANGUAGE)
"""Models in which nothing is drawn, so that one seed says everything."""


def named(name: str) -> Task:
    """Return a task by name (KeyError where there is none)."""
    return {task.name: task for task in TASKS}[name]


def chosen(task: Task, words: Sequence[str]) -> tuple[str, ...]:
    """Return the models of a task that words stand for, in the task's order; what it cannot carry is left out."""
    wanted = set(_spelt(words))
    return tuple(name for name in task.models if "all" in words or name in wanted)


def unknown(words: Sequence[str]) -> list[str]:
    """Return the words that stand for no model of any task."""
    known = {"all", *(name for task in TASKS for name in task.models)}
    return sorted(set(_spelt(words)) - known)


def _spelt(words: Iterable[str]) -> list[str]:
    return [name for word in words for name in SETS.get(word, (word,))]
