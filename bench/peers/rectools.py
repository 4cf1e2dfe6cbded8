"""The models of ``RecTools``: SASRec, eSASRec (LiGR layers and a sampled softmax, as its authors set it up) and EASE.

Runs inside the environment of ``rectools.txt``. Answers come from a data set of the histories asked with, in the ids
of the one fitted on. A training by epochs ends after the last, or with the first one past its limit of seconds.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from bench.peers._serve import Question, Train, serve

STEADY = {"dataloader_num_workers": 0, "recommend_torch_device": "cpu", "recommend_n_threads": 1, "verbose": 0}


class RecTools:
    """One model of the library."""

    def __init__(self, kind: str, settings: Mapping[str, Any]) -> None:
        warnings.filterwarnings("ignore")
        self._kind, self._settings = kind, dict(settings)
        # Imported here, so that a fit is not charged for it.
        import_module("rectools.models")
        import_module("pytorch_lightning")

    def fit(self, train: Train) -> dict[str, Any]:
        """Fit; of the transformers the seconds of an epoch are told."""
        data = _dataset(train.users, train.items, train.ts, train.weights)
        self._items, self._n_items = data.item_id_map, train.n_items
        self._known = np.bincount(train.items, minlength=train.n_items) > 0
        if self._kind == "ease":
            from rectools.models import EASEModel

            self._model = EASEModel(**self._settings, recommend_n_threads=1).fit(data)
            return {}
        return self._train(data, train)

    def _train(self, data: Any, train: Train) -> dict[str, Any]:
        import torch

        torch.set_num_threads(train.n_threads)
        _seed(train.seed)
        self._model = _transformer(self._kind, self._settings, train.limit_s)
        self._model.fit(data)
        torch.set_num_threads(1)
        times = self._model.fit_trainer.callbacks[0].times
        return {"epochs": len(times), "s_per_epoch": float(np.median(times))}

    def answer(self, question: Question) -> tuple[Any, Any]:
        """Ask the library for everybody at once."""
        width = question.k + question.spare(self._known)
        rows = np.full((len(question), width), -1, dtype=np.int32)
        scores = np.full(rows.shape, np.nan, dtype=np.float32)
        own = question.weights > 0
        own[own] = self._known[question.items[own]]
        owners = question.owners[own]
        if not len(owners):
            return rows, scores
        data = _dataset(owners, question.items[own], question.ts[own], question.weights[own], items_map=self._items)
        table = self._model.recommend(
            np.unique(owners), data, k=width, filter_viewed=question.drop, on_unsupported_targets="ignore"
        )
        people, ranks = table["user_id"].to_numpy(), table["rank"].to_numpy() - 1
        rows[people, ranks], scores[people, ranks] = table["item_id"].to_numpy(), table["score"].to_numpy()
        return rows, scores


def _transformer(kind: str, settings: Mapping[str, Any], limit_s: float) -> Any:
    from rectools.models import SASRecModel
    from rectools.models.nn.transformers.ligr import LiGRLayers

    more: dict[str, Any] = {"transformer_layers_type": LiGRLayers} if kind == "esasrec" else {}
    return SASRecModel(
        **settings,
        **more,
        **STEADY,
        get_trainer_func=_trainer,
        get_trainer_func_kwargs={"epochs": settings["epochs"], "limit_s": limit_s},
    )


def _trainer(epochs: int, limit_s: float) -> Any:
    from pytorch_lightning import Callback, Trainer

    class Clock(Callback):
        """Times epochs, and ends the training where the next one would probably run past the limit."""

        def __init__(self) -> None:
            self.times: list[float] = []

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            self._begin = time.perf_counter()

        def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
            self.times.append(time.perf_counter() - self._begin)
            if limit_s and sum(self.times) + max(self.times) > limit_s:
                trainer.should_stop = True

    return Trainer(
        max_epochs=epochs,
        min_epochs=1,
        accelerator="cpu",
        devices=1,
        callbacks=[Clock()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _dataset(users: Any, items: Any, ts: Any, weights: Any, *, items_map: Any = None) -> Any:
    """Return interactions as the library wants them, in its own ids or in those of another data set's items."""
    import pandas as pd
    from rectools.dataset import Dataset, IdMap, Interactions

    moments = pd.to_datetime(np.asarray(ts, dtype=np.int64), unit="ms")  # the library's sorts keep the order of ties
    frame = pd.DataFrame({"user_id": users, "item_id": items, "datetime": moments, "weight": weights})
    if items_map is None:
        return Dataset.construct(frame)
    # The library's matrix is as wide as the last item in it: a person beside those asked for had the very last one.
    frame = pd.concat([frame, frame.iloc[-1:].assign(user_id=-1, item_id=items_map.external_ids[-1])])
    people = IdMap.from_values(frame["user_id"].to_numpy())
    return Dataset(people, items_map, Interactions.from_raw(frame, people, items_map))


def _seed(seed: int) -> None:
    from pytorch_lightning import seed_everything

    seed_everything(seed, workers=True)


if __name__ == "__main__":
    serve({kind: partial(RecTools, kind) for kind in ("sasrec", "esasrec", "ease")})
