"""A peer for tests: says the popular items in turn, fails when told to, and prints where libraries print."""

from __future__ import annotations

import os

import numpy as np

from bench.peers._serve import serve


class Popular:
    def __init__(self, settings):
        self.settings = settings

    def fit(self, train):
        print("a library talks to standard output")
        if self.settings.get("fail"):
            raise ValueError("no such matrix")
        if self.settings.get("die"):
            os._exit(3)
        self.counts = np.bincount(train.items, minlength=train.n_items)
        self.order = np.argsort(-self.settings.get("sign", 1) * self.counts, kind="stable")
        return {"epochs": 2, "s_per_epoch": 0.5, "seed": train.seed}

    def answer(self, question):
        n = len(question)
        return np.tile(self.order, (n, 1)), np.tile(self.counts[self.order].astype(float), (n, 1))


if __name__ == "__main__":
    serve({"popular": Popular})
