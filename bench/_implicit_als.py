"""ALS of the library ``implicit``, run in an environment that has it: ``python _implicit_als.py MATRIX OUT SETTINGS``.

Prints the seconds of each iteration, by the wall's clock and of the processor; writes the factors.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np
from implicit.als import AlternatingLeastSquares
from scipy.sparse import csr_matrix


def main(matrix_path: str, out: str, settings: dict[str, float]) -> None:
    held = np.load(matrix_path)
    matrix = csr_matrix((held["data"], held["indices"], held["indptr"]), shape=tuple(held["shape"]))
    marks = []

    def mark(*_: object) -> None:
        marks.append((time.perf_counter(), time.process_time()))

    # The confidence of an observation is its alpha here, and 1 + alpha there; the same objective otherwise.
    model = AlternatingLeastSquares(
        factors=int(settings["factors"]),
        regularization=settings["l2"],
        alpha=1.0 + settings["alpha"],
        iterations=int(settings["iterations"]),
        num_threads=int(settings["threads"]),
        random_state=0,
    )
    begun = time.perf_counter()
    model.fit(matrix, show_progress=False, callback=mark)
    took = time.perf_counter() - begun
    np.savez(out, people=model.user_factors, items=model.item_factors)
    wall, cpu = (np.diff([pair[i] for pair in marks]).tolist() for i in (0, 1))
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "fit_s": took}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]))
