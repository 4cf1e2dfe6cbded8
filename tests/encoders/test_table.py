from __future__ import annotations

import shutil
from importlib.resources import files

import numpy as np
import pytest

from inkling.core.errors import BundleError
from inkling.encoders import ENCODERS, open_encoder
from inkling.encoders._opening import files_of, is_table
from inkling.encoders.static import StaticEncoder
from inkling.encoders.table import CARD, TABLE, TOKENIZER, TableEncoder, rounded, table_files, write_table
from inkling.testing.encoders import TEXTS, EncoderContract

TOKENS = (files("inkling.encoders") / "data" / "minilm" / TOKENIZER).read_text()
WORDS = {"red": 2417, "green": 2665, "mug": 14757}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a table that knows three words: red and green, which are across, and mug between them."""
    table = np.zeros((30522, 2), np.float32)
    table[[WORDS["red"], WORDS["green"], WORDS["mug"]]] = [[2, 0], [0, 2], [0.5, 0.5]]
    place = tmp_path_factory.mktemp("tables") / "own"
    write_table(place, table_files(table, TOKENS, max_tokens=8))
    return place


class TestContract(EncoderContract):
    name = "table"


def test_without_a_folder_it_serves_the_table_that_ships():
    np.testing.assert_allclose(TableEncoder().encode(TEXTS), StaticEncoder().encode(TEXTS), atol=1e-6)


def test_a_text_is_the_sum_of_its_tokens(folder):
    found = TableEncoder(folder).encode(["red", "a red mug", "red green", "mug", "blue sky", ""])
    angle = np.sqrt([2.5**2 + 0.5**2, 2, 2])
    expected = [[1, 0], [2.5, 0.5] / angle[0], [1, 1] / angle[1], [1, 1] / angle[2], [0, 0], [0, 0]]
    np.testing.assert_allclose(found, expected, atol=0.005)


def test_tokens_beyond_the_length_are_not_read(folder):
    found = TableEncoder(folder).encode(["a " * 7 + "red green", "red"])
    np.testing.assert_allclose(found[0], found[1])


def test_many_texts_are_read_as_one_is(folder):
    texts = [("red", "mug", "green red")[row % 3] for row in range(2500)]
    np.testing.assert_array_equal(TableEncoder(folder).encode(texts)[-3:], TableEncoder(folder).encode(texts[-3:]))


def test_unknown_is_what_has_no_vector(folder):
    assert TableEncoder(folder).unknown_share(["red mug", "red sky", "sky", ""]).tolist() == [0, 0.5, 1, 1]


def test_the_door_opens_it(folder):
    assert is_table(folder)
    assert sorted(files_of(folder)) == sorted([CARD, TABLE, TOKENIZER])
    opened = open_encoder(str(folder), n_threads=2)
    assert (opened.name, opened.dim) == ("table", 2)
    assert opened.fingerprint == TableEncoder(folder).fingerprint != ENCODERS.get("table")().fingerprint
    assert files_of(folder.parent) == {}


def test_a_reader_of_catalogues_serves_and_keeps_it(folder):
    from inkling.engine.pipeline import PipelineState
    from inkling.engine.texts import TextReader

    reader = TextReader(str(folder))
    np.testing.assert_array_equal(reader.encode(["red"]), reader.ask(["red"]))
    kept = reader.kept(PipelineState({}, {}))
    again = TextReader(str(folder))
    again.load(kept)
    assert sorted(kept.files) == sorted([CARD, TABLE, TOKENIZER])
    np.testing.assert_array_equal(again.encode(["red mug"]), reader.encode(["red mug"]))


def test_files_in_memory_serve_as_a_folder_does(folder):
    held = {path.name: path.read_bytes() for path in folder.iterdir()}
    encoder = TableEncoder(held)
    np.testing.assert_array_equal(encoder.encode(["red mug"]), TableEncoder(folder).encode(["red mug"]))
    assert encoder.fingerprint == TableEncoder(folder).fingerprint
    with pytest.raises(BundleError, match=f"What was given holds no table of tokens: it lacks {CARD}"):
        TableEncoder({TABLE: b""})


def test_rounding_keeps_rows_near_and_empty_rows_empty():
    table = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float32)
    table[7] = 0
    levels, scale = rounded(table)
    assert levels.dtype == np.int8
    assert not levels[7].any()
    np.testing.assert_allclose(levels * scale, table, atol=0.02)


def test_it_writes_over_a_table_and_over_nothing_else(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "own")
    made = table_files(np.eye(3, dtype=np.float32), TOKENS)
    write_table(tmp_path / "own", made)
    assert TableEncoder(tmp_path / "own").dim == 3
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thing").write_text("mine")
    with pytest.raises(BundleError, match="exists already and holds something else"):
        write_table(tmp_path / "other", made)


@pytest.mark.parametrize("name", [TABLE, TOKENIZER])
def test_an_altered_file_is_refused(folder, tmp_path, name):
    shutil.copytree(folder, tmp_path / "own")
    with (tmp_path / "own" / name).open("ab") as file:
        file.write(b" ")
    with pytest.raises(BundleError, match="was altered"):
        TableEncoder(tmp_path / "own").encode(["red"])


def test_a_folder_without_card_or_with_another_is_refused(folder, tmp_path):
    with pytest.raises(BundleError, match=f"it lacks {CARD}"):
        TableEncoder(tmp_path)
    (tmp_path / CARD).write_text('{"dim": "two"}')
    with pytest.raises(BundleError, match="not the card of a table"):
        TableEncoder(tmp_path)
    (tmp_path / CARD).write_text('{"dim": 2, "max_tokens": 4, "sha256": {}, "format": 9}')
    with pytest.raises(BundleError, match="of format 9, expected 1"):
        TableEncoder(tmp_path)
