from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.encoders.sentence import SentenceEncoder, _batches
from inkling.testing.encoders import WISHES, EncoderContract, best

FIXTURE = Path(__file__).parent / "data" / "agreement.npz"


class TestContract(EncoderContract):
    name = "sentence"


@pytest.fixture(scope="module")
def encoder():
    return SentenceEncoder()


def nearest(vectors, k=10):
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.argsort(-scores, axis=1)[:, :k]


def test_int8_agrees_with_the_original_in_float32(encoder):
    with np.load(FIXTURE, allow_pickle=False) as fixture:
        texts, theirs = json.loads(fixture["texts"].tobytes()), fixture["vectors"].astype(np.float32)
    ours = encoder.encode(texts)
    assert (ours * theirs).sum(axis=1).min() > 0.98
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(nearest(ours), nearest(theirs), strict=True)]
    assert np.mean(shared) > 0.93


def test_an_english_wish_finds_its_two_things(encoder):
    text = "I like watching movies and travelling"
    items, wanted = WISHES[text]
    assert best(encoder, text, items) == wanted


def test_chinese_words_look_all_alike_to_it_and_it_says_so(encoder):
    film, music = encoder.encode(["电影", "音乐"])
    assert film @ music == pytest.approx(1, abs=1e-5)
    assert encoder.unknown_share(["电影", "a film"]).tolist() == [1, 0]


def test_only_the_first_tokens_are_read():
    short = SentenceEncoder(max_tokens=8)
    a, b = short.encode(["one two three four five six seven", "one two three four five six and then something else"])
    assert a @ b == pytest.approx(1, abs=1e-5)
    assert short.fingerprint != SentenceEncoder().fingerprint


def test_progress_is_told_until_all_is_done():
    told = []
    encoder = SentenceEncoder(progress=lambda done, total: told.append((done, total)))
    encoder.encode([f"a red mug with the number {n} on it" for n in range(300)])
    assert len(told) > 1
    assert told[-1] == (300, 300)


def test_many_threads_load_one_model_and_agree():
    encoder = SentenceEncoder()
    out = [None] * 4
    threads = [threading.Thread(target=lambda i=i: out.__setitem__(i, encoder.encode(["red mug"]))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(vector, out[0]) for vector in out)


def test_batches_hold_alike_lengths_and_few_tokens():
    batches = list(_batches([256, 3, 2, 200, 3, *[100] * 50]))
    assert batches[0][:2] == [1, 4]
    assert sorted(row for batch in batches for row in batch) == [0, 1, 3, *range(4, 55)]
    sizes = [256, 3, 2, 200, 3, *[100] * 50]
    assert max(len(batch) * sizes[batch[-1]] for batch in batches) <= 2048


@pytest.mark.parametrize(("settings", "message"), [
    ({"max_tokens": 2}, "max_tokens is 2, expected 3 to 256"),
    ({"max_tokens": 512}, "max_tokens is 512, expected 3 to 256"),
    ({"n_threads": 0}, "n_threads is 0, expected at least 1"),
])  # fmt: skip
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        SentenceEncoder(**settings)
