from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from inkling.core.errors import StoreError
from inkling.encoders.cache import CachedEncoder
from inkling.encoders.cache.memory import MemoryVectors
from inkling.encoders.hashing import HashingEncoder
from inkling.testing.encoders import EncoderContract


class Counting(HashingEncoder):
    def __init__(self, dim=16):
        super().__init__(dim)
        self.read = []

    def encode(self, texts):
        self.read.extend(texts)
        return super().encode(texts)


class TestContract(EncoderContract):
    name = "hashing"

    def make(self):
        return CachedEncoder(HashingEncoder())


def test_a_text_is_read_once_and_the_rate_is_told():
    inner = Counting()
    cache = CachedEncoder(inner)
    first = cache.encode(["red", "blue", "red"])
    again = cache.encode(["blue", "red", "green"])
    assert inner.read == ["red", "blue", "green"]
    np.testing.assert_array_equal(first[:2], again[[1, 0]])
    assert (cache.hits, cache.misses, cache.hit_rate) == (3, 3, 0.5)


def test_the_rate_before_the_first_text_is_zero():
    assert CachedEncoder(Counting()).hit_rate == 0


def test_changing_an_answer_does_not_change_the_cache():
    cache = CachedEncoder(Counting())
    answer = cache.encode(["red"])
    answer[:] = 7
    assert np.linalg.norm(cache.encode(["red"])) == pytest.approx(1)


def test_the_file_serves_the_next_process(tmp_path):
    path = tmp_path / "deep" / "vectors.sqlite"
    first = CachedEncoder(Counting(), path=path)
    kept = first.encode(["red", "blue"])
    first.close()
    inner = Counting()
    second = CachedEncoder(inner, path=path)
    np.testing.assert_array_equal(second.encode(["red", "blue"]), kept)
    assert inner.read == []
    assert second.hit_rate == 1
    second.close()


def test_other_settings_never_meet_in_one_file(tmp_path):
    narrow = CachedEncoder(HashingEncoder(16), path=tmp_path / "v")
    wide = CachedEncoder(HashingEncoder(32), path=tmp_path / "v")
    assert narrow.encode(["red"]).shape == (1, 16)
    assert wide.encode(["red"]).shape == (1, 32)
    assert wide.misses == 1
    narrow.close()
    wide.close()


def test_no_text_is_stored(tmp_path):
    cache = CachedEncoder(Counting(), path=tmp_path / "v")
    cache.encode(["a very private sentence"])
    cache.close()
    assert b"private" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())


def test_forget_drops_from_memory_and_file(tmp_path):
    inner = Counting()
    cache = CachedEncoder(inner, path=tmp_path / "v")
    cache.encode(["red", "blue"])
    assert cache.forget(["red", "red", "never seen"]) == 1
    assert len(cache.memory) == len(cache.disk) == 1
    cache.encode(["red"])
    assert inner.read == ["red", "blue", "red"]
    cache.close()


def test_forget_without_a_file():
    cache = CachedEncoder(Counting())
    cache.encode(["red"])
    assert cache.forget(["red"]) == 1
    assert cache.forget(["red"]) == 0


def test_more_texts_than_one_query_takes(tmp_path):
    texts = [f"item {n}" for n in range(1201)]
    cache = CachedEncoder(Counting(), path=tmp_path / "v", max_bytes=0)
    expected = cache.encode(texts)
    np.testing.assert_array_equal(cache.encode(texts), expected)
    assert cache.hit_rate == 0.5
    cache.close()


def test_a_file_that_is_no_cache_is_named(tmp_path):
    (tmp_path / "v").write_bytes(b"not a database, but longer than a header" * 40)
    with pytest.raises(StoreError, match=r"vector cache v failed: file is not a database. It can be deleted"):
        CachedEncoder(Counting(), path=tmp_path / "v")


def test_a_failed_write_leaves_nothing_half_done(tmp_path):
    cache = CachedEncoder(Counting(), path=tmp_path / "v")
    with sqlite3.connect(tmp_path / "v") as other:
        other.execute("DROP TABLE vectors")
    other.close()
    with pytest.raises(StoreError, match="no such table"):
        cache.encode(["red"])
    with pytest.raises(StoreError, match="no such table"):
        cache.disk.put({b"k": np.zeros(16, np.float32)})
    cache.close()


def test_the_least_recently_used_leaves_first():
    vectors = {bytes([n]): np.full(16, n, np.float32) for n in range(4)}
    memory = MemoryVectors(max_bytes=3 * (64 + 270))
    memory.put({key: vectors[key] for key in list(vectors)[:3]})
    memory.get([b"\0"])
    memory.put({b"\3": vectors[b"\3"]})
    assert set(memory.get(vectors)) == {b"\0", b"\2", b"\3"}
    assert memory.n_bytes == 3 * (64 + 270) <= memory.max_bytes


def test_putting_again_does_not_count_twice():
    memory = MemoryVectors(max_bytes=10_000)
    memory.put({b"k": np.zeros(16, np.float32)})
    memory.put({b"k": np.ones(16, np.float32)})
    assert (len(memory), memory.n_bytes) == (1, 64 + 270)
