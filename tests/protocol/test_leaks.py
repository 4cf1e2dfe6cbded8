"""Nothing that saw the future is measured on it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from inkling.core.errors import LeakError
from inkling.core.run import Run
from inkling.core.tables import Items
from inkling.protocol.leaks import Provenance, refuse
from inkling.protocol.parts import Tables
from inkling.protocol.spec import ProtocolSpec
from inkling.retrieval import RETRIEVERS
from inkling.testing.leaks import WORD, check_planted_word, plant
from inkling.testing.logs import SHOP, events, folds_of

ROWS = [("a", "x", 1), ("b", "x", 2), ("b", "y", 3), ("a", "z", 4), ("b", "z", 5), ("a", "y", 6)]
TEXTS = ["a red mug", "a blue mug", "a green bowl", None, "a large spoon", "a small bowl"]
SPEC = ProtocolSpec(split="time", cuts=(0.5,))


def train():
    return folds_of(ROWS, cuts=(0.5,))[0].train


def test_what_saw_no_event_passes():
    refuse(Provenance(name="a public encoder"), train(), cut=4)


def test_what_was_made_before_the_cut_passes_by_time():
    refuse(Provenance(name="profiles", trained_until=4, fingerprint="other"), train(), cut=4)


def test_what_was_made_from_the_same_part_passes_everywhere():
    data = train()
    refuse(Provenance(name="a model", trained_until=9, fingerprint=data.fingerprint), data, cut=4, by_time=False)


def test_what_saw_a_later_event_is_refused():
    with pytest.raises(LeakError, match="a model was made from events up to 5, after the cut at 4"):
        refuse(Provenance(name="a model", trained_until=5, fingerprint="other"), train(), cut=4)


def test_an_earlier_artefact_is_no_excuse_where_the_split_is_not_by_time():
    with pytest.raises(LeakError, match="the split is not one by time"):
        refuse(Provenance(name="a model", trained_until=3, fingerprint="other"), train(), cut=4, by_time=False)


def test_an_artefact_that_does_not_say_until_when_is_refused():
    with pytest.raises(LeakError, match="does not say until when"):
        refuse(Provenance(name="a model", fingerprint="other"), train(), cut=4)


def semantic(fold):
    """Everything that the semantic retriever learns and answers, over the catalogue and over training reviews."""
    model = RETRIEVERS.get("semantic")
    fitted = model(model.Config(encoder="hashing")).fit(fold.train, Run())
    return {**fitted.state(), "scores": fitted.scores(fold.query())}


def test_no_vector_and_no_score_moves_with_a_word_from_the_future():
    titles = Items(pl.DataFrame({"item_id": ["x", "y", "z"], "title": ["red mug", "green bowl", "large spoon"]}))
    check_planted_word(semantic, events(ROWS, text=TEXTS), SHOP, Tables(items=titles), SPEC)


def test_the_check_finds_a_leak():
    late = {}

    def reads_everything(fold):
        late["calls"] = late.get("calls", 0) + 1
        return {"vectors": np.array([late["calls"]])}

    with pytest.raises(AssertionError, match="'vectors' moved when a word was planted"):
        check_planted_word(reads_everything, events(ROWS, text=TEXTS), SHOP, Tables(), SPEC)


def test_the_check_needs_texts():
    with pytest.raises(AssertionError, match="no text to plant"):
        check_planted_word(semantic, events(ROWS), SHOP, Tables(), SPEC)


def test_the_word_is_planted_after_the_cut_only():
    texts = plant(events(ROWS, text=TEXTS), after=4).frame["text"].to_list()
    assert texts[:4] == TEXTS[:4]
    assert all(text.endswith(WORD) for text in texts[4:])


def test_a_training_part_holds_no_later_text_and_no_later_catalogue_row():
    items = Items(pl.DataFrame({"item_id": ["x", "v"], "title": ["mug", "later"], "created_at": [1, 9]}))
    (fold,) = folds_of(ROWS, Tables(items=items), cuts=(0.5,))
    assert "later" not in fold.train.items.frame["title"].to_list()
