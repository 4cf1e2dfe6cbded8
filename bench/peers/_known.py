"""Which models of which libraries are peers, and the settings that validation chooses from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

Settings = Mapping[str, Any]


def _grid(**choices: Sequence[Any]) -> tuple[Settings, ...]:
    return tuple(dict(zip(choices, values, strict=True)) for values in product(*choices.values()))


_SMALL = {"n_factors": 64, "n_blocks": 2, "n_heads": 2, "session_max_len": 20, "lr": 0.001}
_SOFTMAX = {"loss": "sampled_softmax", "n_negatives": 128, "batch_size": 128}
_RECBOLE = {"hidden_size": 64, "n_layers": 2, "n_heads": 2, "MAX_ITEM_LIST_LENGTH": 20, "train_batch_size": 512}


@dataclass(frozen=True)
class Known:
    """A model of another library.

    Attributes:
        environment: Name of the environment, and of the script that runs in it.
        model: The model's name in that script.
        grid: Settings to choose from; the first is taken where there is no validation part.
        seeded: Whether the seed changes anything.
        by_epochs: Whether it trains by epochs, so that a limit of seconds ends it early.
    """

    environment: str
    model: str
    grid: tuple[Settings, ...]
    seeded: bool = False
    by_epochs: bool = False


KNOWN: dict[str, Known] = {
    "implicit-bm25": Known("implicit", "bm25", _grid(K=(20, 100, 500), K1=(0.3, 1.2), B=(0.25, 0.75))),
    "implicit-tfidf": Known("implicit", "tfidf", _grid(K=(20, 100, 500))),
    "implicit-cosine": Known("implicit", "cosine", _grid(K=(20, 100, 500))),
    "implicit-als": Known(
        "implicit",
        "als",
        (
            *_grid(factors=(64, 128), regularization=(0.01, 0.1), alpha=(1.0, 10.0), iterations=(15,)),
            {"factors": 128, "regularization": 0.1, "alpha": 40.0, "iterations": 15},
        ),
        seeded=True,
    ),
    "implicit-bpr": Known(
        "implicit",
        "bpr",
        _grid(factors=(64,), learning_rate=(0.01, 0.05), regularization=(0.01, 0.05), iterations=(100,)),
        seeded=True,
    ),
    "lenskit-itemknn": Known("lenskit", "itemknn", _grid(max_nbrs=(20, 100, 500), save_nbrs=(500,))),
    "rectools-ease": Known("rectools", "ease", _grid(regularization=(50.0, 200.0, 500.0, 1000.0))),
    "rectools-sasrec": Known(
        "rectools",
        "sasrec",
        (
            {**_SMALL, **_SOFTMAX, "dropout_rate": 0.2, "epochs": 15},
            {**_SMALL, **_SOFTMAX, "dropout_rate": 0.5, "epochs": 60},
        ),
        seeded=True,
        by_epochs=True,
    ),
    "rectools-esasrec": Known(
        "rectools",
        "esasrec",
        (
            {**_SMALL, **_SOFTMAX, "n_negatives": 256, "dropout_rate": 0.2, "epochs": 15},
            {**_SMALL, **_SOFTMAX, "n_negatives": 256, "dropout_rate": 0.5, "epochs": 60},
        ),
        seeded=True,
        by_epochs=True,
    ),
    "recbole-sasrec": Known(
        "recbole",
        "sasrec",
        (
            {**_RECBOLE, "learning_rate": 0.001, "hidden_dropout_prob": 0.5, "attn_dropout_prob": 0.5, "epochs": 30},
            {**_RECBOLE, "learning_rate": 0.001, "hidden_dropout_prob": 0.2, "attn_dropout_prob": 0.2, "epochs": 15},
        ),
        seeded=True,
        by_epochs=True,
    ),
}
