"""One reader for a whole pipeline: each text is read once."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.encoders.hashing import HashingEncoder
from inkling.engine.texts import TextReader, _shared


@pytest.fixture(autouse=True)
def nothing_read_yet():
    _shared.cache_clear()
    yield
    _shared.cache_clear()


def test_it_reads_as_its_encoder_does_and_each_text_once(monkeypatch):
    read = []
    plain = HashingEncoder.encode

    def noted(self, texts):
        read.extend(texts)
        return plain(self, texts)

    monkeypatch.setattr(HashingEncoder, "encode", noted)
    reader = TextReader("hashing")
    first = reader.encode(["red mug", "tea", "red mug"])
    second = reader.encode(["tea", "lamp"])
    assert sorted(read) == ["lamp", "red mug", "tea"]
    np.testing.assert_array_equal(first, plain(HashingEncoder(), ["red mug", "tea", "red mug"]))
    np.testing.assert_array_equal(second[0], first[1])
    assert reader.encode([]).shape == (0, reader.dim)
    assert first.dtype == np.float32


def test_it_is_opened_when_first_needed():
    reader = TextReader("no such encoder")
    reader.use(Run())
    with pytest.raises(ConfigError, match="no encoder named 'no such encoder'"):
        reader.encode(["a"])


def test_readers_share_what_was_read(monkeypatch):
    read = []
    plain = HashingEncoder.encode

    def noted(self, texts):
        read.extend(texts)
        return plain(self, texts)

    monkeypatch.setattr(HashingEncoder, "encode", noted)
    TextReader("hashing").encode(["red mug"])
    TextReader("hashing").encode(["red mug", "tea"])
    assert read == ["red mug", "tea"]


def test_a_whole_catalogue_is_read_in_parts_that_are_told_of():
    told = []
    reader = TextReader("hashing")
    reader.use(Run(progress=lambda stage, done, total: told.append((stage, done, total))))
    texts = [f"thing {n}" for n in range(1200)]
    whole = reader.encode(texts)
    assert told == [("reading texts", done, 3) for done in range(4)]
    np.testing.assert_array_equal(whole, HashingEncoder().encode(texts))


def test_vectors_outlive_the_process_where_a_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("INKLING_CACHE", str(tmp_path))
    first = TextReader("hashing").encode(["red mug", "tea"])
    _shared.cache_clear()  # as a new process
    monkeypatch.setattr(HashingEncoder, "encode", lambda self, texts: pytest.fail(f"read again: {texts}"))
    np.testing.assert_array_equal(TextReader("hashing").encode(["red mug", "tea"]), first)
    assert [path.name for path in tmp_path.glob("*.sqlite")] == ["vectors-hashing.sqlite"]
