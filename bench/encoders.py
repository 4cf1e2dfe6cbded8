"""Speed and fidelity of each encoder: ``python -m bench.encoders``. Prints a table, then JSON.

Times are of the processor, all threads added up, so that other work on the machine counts little. ``first_text_ms``
includes loading the libraries and the model.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import numpy as np

from inkling.core.arrays import F32
from inkling.encoders import ENCODERS
from inkling.encoders._tokens import tokens
from inkling.encoders.base import Encoder
from inkling.encoders.cache import CachedEncoder

FIXTURE = Path(__file__).parent.parent / "tests" / "encoders" / "data" / "agreement.npz"
N_SINGLE = 300
COLUMNS = ("dim", "first_text_ms", "texts_per_s", "p50_ms", "p99_ms", "top10", "cosine")


def fixture() -> tuple[list[str], F32]:
    """Return texts and the vectors of the original model in float32."""
    with np.load(FIXTURE, allow_pickle=False) as stored:
        return json.loads(stored["texts"].tobytes()), stored["vectors"].astype(np.float32)


def texts_of_16_tokens(titles: list[str], n: int) -> list[str]:
    """Return different texts of 14 words of one token each, which two marks make 16."""
    words = sorted({word.lower() for title in titles for word in title.split() if word.isalpha()})
    ids = tokens(256).ids(words, special=False)
    short = [word for word, row in zip(words, ids, strict=True) if len(row) == 1]
    rng = random.Random(0)
    return [" ".join(rng.choices(short, k=14)) for _ in range(n)]


def nearest(vectors: F32, k: int = 10) -> list[set[int]]:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return [set(row) for row in np.argsort(-scores, axis=1)[:, :k].tolist()]


def fidelity(encoder: Encoder, texts: list[str], original: F32) -> dict[str, float]:
    """Return the share of the original's ten nearest that the encoder finds, and the mean cosine where widths agree."""
    vectors = encoder.encode(texts)
    pairs = zip(nearest(vectors), nearest(original), strict=True)
    found = {"top10": float(np.mean([len(ours & theirs) / 10 for ours, theirs in pairs]))}
    if vectors.shape == original.shape:
        found["cosine"] = float((vectors * original).sum(axis=1).mean())
    return found


def single_ms(encoder: Encoder, texts: list[str]) -> dict[str, float]:
    """Return percentiles of one text at a time."""
    durations = []
    for text in texts:
        start = time.process_time()
        encoder.encode([text])
        durations.append((time.process_time() - start) * 1000)
    return {"p50_ms": float(np.percentile(durations, 50)), "p99_ms": float(np.percentile(durations, 99))}


def texts_per_s(encoder: Encoder, texts: list[str]) -> float:
    start = time.process_time()
    encoder.encode(texts)
    return len(texts) / (time.process_time() - start)


def measure(encoder: Encoder, texts: list[str], original: F32) -> dict[str, float]:
    start = time.process_time()
    encoder.encode(["red mug"])
    first = (time.process_time() - start) * 1000
    titles = texts[:256]
    many = titles * (4 if encoder.name in {"sentence", "auto"} else 80)
    return {
        "dim": encoder.dim,
        "first_text_ms": first,
        "texts_per_s": texts_per_s(encoder, many),
        **single_ms(encoder, texts_of_16_tokens(titles, N_SINGLE)),
        **fidelity(encoder, texts, original),
    }


def cached(texts: list[str]) -> dict[str, float]:
    """Return the same for texts that a cache in memory knows."""
    encoder = CachedEncoder(ENCODERS.get("auto")())
    titles = texts[:256]
    encoder.encode(titles)
    rate = texts_per_s(encoder, titles * 20)
    return {"dim": encoder.dim, "texts_per_s": rate, **single_ms(encoder, titles)}


def main() -> None:
    texts, original = fixture()
    found = {name: measure(ENCODERS.get(name)(), texts, original) for name in ("hashing", "static", "sentence", "auto")}
    found["auto, cached"] = cached(texts)
    print("encoder      " + "".join(f"{column:>15}" for column in COLUMNS))
    for name, row in found.items():
        cells = (f"{row[column]:,.4g}" if column in row else "-" for column in COLUMNS)
        print(f"{name:<13}" + "".join(f"{cell:>15}" for cell in cells))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
