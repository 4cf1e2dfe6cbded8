"""The SASRec of ``RecBole``, trained on everything it is given, epoch by epoch of its own trainer.

Runs inside the environment of ``recbole.txt``. Answers come from the sequences asked with. A training ends after its
last epoch, or before the one that would probably run past its limit of seconds.
"""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Mapping
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from bench.peers._serve import Question, Train, serve

STEADY = {
    "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    "eval_args": {"split": {"RS": [1.0, 0.0, 0.0]}, "order": "TO", "group_by": None, "mode": "full"},
    "train_neg_sample_args": None,
    "loss_type": "CE",
    "use_gpu": False,
    "show_progress": False,
    "state": "WARNING",
}


class SASRec:
    """RecBole's model, whose data must first be a file."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        warnings.filterwarnings("ignore")
        self._settings = dict(settings)
        # Imported here, so that a fit is not charged for it.
        import_module("recbole.trainer")
        import_module("recbole.data")

    def fit(self, train: Train) -> dict[str, Any]:
        """Train; the seconds of an epoch are told."""
        import torch

        torch.set_num_threads(train.n_threads)
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)  # the library writes logs and checkpoints wherever it stands
            _write(Path(folder) / "shop", train)
            times = self._train(train)
            os.chdir("/")
        torch.set_num_threads(1)
        return {"epochs": len(times), "s_per_epoch": float(np.median(times))}

    def _train(self, train: Train) -> list[float]:
        from recbole.config import Config
        from recbole.data import create_dataset
        from recbole.data.utils import get_dataloader
        from recbole.model.sequential_recommender import SASRec as Net
        from recbole.trainer import Trainer
        from recbole.utils import init_seed

        config = Config("SASRec", "shop", config_dict=self._config(train.seed))
        init_seed(train.seed, reproducibility=True)
        data = create_dataset(config)
        everything = data.build()[0]
        loader = get_dataloader(config, "train")(config, everything, None, shuffle=True)  # its loss needs no negatives
        self._net = Net(config, everything)
        trainer, times = Trainer(config, self._net), []
        while len(times) < config["epochs"] and not _over(times, train.limit_s):
            begin = time.perf_counter()
            trainer._train_epoch(loader, len(times))
            times.append(time.perf_counter() - begin)
        self._net.eval()
        tokens = data.field2id_token["item_id"]
        self._rows = np.array([-1, *map(int, tokens[1:])])  # the library's ids begin with padding
        self._ids = np.zeros(train.n_items, dtype=np.int64)
        self._ids[self._rows[1:]] = np.arange(1, len(tokens))
        return times

    def _config(self, seed: int) -> dict[str, Any]:
        return {**STEADY, **self._settings, "data_path": os.getcwd(), "seed": seed}

    def answer(self, question: Question) -> tuple[Any, Any]:
        """Score the whole catalogue for everybody at once, then take the best."""
        import torch

        ids = np.where(question.weights > 0, self._ids[question.items], 0)
        sequences, lengths = _sequences(ids, question.offsets, self._net.max_seq_length)
        with torch.no_grad():
            asked = {
                "item_id_list": torch.from_numpy(sequences),
                "item_length": torch.from_numpy(np.maximum(lengths, 1)),
            }
            found = self._net.full_sort_predict(asked).numpy()
        found[:, 0] = -np.inf
        found[lengths == 0] = -np.inf
        if question.drop:
            found[question.owners, ids] = -np.inf
        width = min(question.k + question.spare(self._ids > 0), found.shape[1])
        best = np.argpartition(-found, width - 1, axis=1)[:, :width]
        values = np.take_along_axis(found, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        return self._rows[np.take_along_axis(best, order, axis=1)], np.take_along_axis(values, order, axis=1)


def _over(times: list[float], limit_s: float) -> bool:
    return bool(times and limit_s and sum(times) + max(times) > limit_s)


def _write(folder: Path, train: Train) -> None:
    """Write the events as an atomic file; their order stands for time, which the library holds in single precision."""
    folder.mkdir()
    rows = zip(train.users.tolist(), train.items.tolist(), range(len(train.users)), strict=True)
    lines = ["user_id:token\titem_id:token\ttimestamp:float", *(f"{user}\t{item}\t{n}" for user, item, n in rows)]
    (folder / "shop.inter").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sequences(ids: Any, offsets: Any, length: int) -> tuple[Any, Any]:
    """Return the last ``length`` known items of each person (B, length), padded with 0 at the end, and how many."""
    out, lengths = np.zeros((len(offsets) - 1, length), dtype=np.int64), np.zeros(len(offsets) - 1, dtype=np.int64)
    for person, (start, stop) in enumerate(pairwise(offsets)):
        mine = ids[start:stop]
        mine = mine[mine > 0][-length:]
        out[person, : len(mine)], lengths[person] = mine, len(mine)
    return out, lengths


if __name__ == "__main__":
    serve({"sasrec": SASRec})
