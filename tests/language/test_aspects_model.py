import numpy as np
import polars as pl
import pytest

from inkling.core.errors import BundleError, DataError
from inkling.core.run import Run
from inkling.language._aspects_data import (
    IGNORED,
    Marked,
    Term,
    category_names,
    labelled,
    marked,
    sentences_of,
    spans_of,
    without,
)

NOUNS, GOOD, BAD = ("food", "staff", "music"), ("tasty", "great"), ("awful", "rude")
WORDS = (*NOUNS, *GOOD, *BAD, "the", "is", "but", "was", "there", ".")


def sentence(first, second, one, other):
    """Two nouns, each with its own word: only the place tells which is which."""
    text = f"the {first} is {one} but the {second} is {other} ."
    begin = text.index(second, 5 + len(first))
    return Marked(
        text,
        terms=(
            Term(4, 4 + len(first), "positive" if one in GOOD else "negative"),
            Term(begin, begin + len(second), "positive" if other in GOOD else "negative"),
        ),
    )


def world(n, seed):
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(n):
        first, second = rng.permutation(NOUNS)[:2].tolist()
        out.append(sentence(first, second, *rng.choice([*GOOD, *BAD], 2).tolist()))
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small BERT of random weights that knows the world's words."""
    pytest.importorskip("torch", reason="the aspect model is trained with torch")
    transformers = pytest.importorskip("transformers", reason="the aspect model begins from a language model")
    import torch

    place = tmp_path_factory.mktemp("tiny")
    vocabulary = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS)
    transformers.BertTokenizerFast(vocab={word: i for i, word in enumerate(vocabulary)}).save_pretrained(place)
    config = transformers.BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertModel(config).save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def taught(folder):
    from inkling.language._aspects_train import AspectTraining, train_aspects

    config = AspectTraining(model=str(folder), epochs=10, lr=3e-3, batch=8, max_tokens=24, dropout=0.0, layer_decay=1.0)
    places = [Marked(one.text, categories=(("ambience", "positive"),)) for one in world(8, 3)]
    return train_aspects([*world(96, 0), *places], world(24, 1), config, Run(seed=1))


def test_each_term_finds_its_own_opinion(taught):
    held = world(40, 2)
    judged = taught.model.judge(held)
    guesses = [int(shares.argmax()) for one in judged for _, _, shares in one.terms]
    truth = [2 if term.polarity == "positive" else 0 for one in held for term in one.terms]
    assert np.mean(np.equal(guesses, truth)) >= 0.9
    assert taught.trained.best >= 0.9
    assert judged[0].categories.shape == (1, 4)
    assert judged[0].categories.sum() == pytest.approx(1.0, abs=1e-5)


def test_terms_are_found_with_their_place_and_sentiment(taught):
    text = "the food is tasty but the staff is rude .\nthe music is great but the food is awful ."
    found = taught.model.read([text, "", "   "])
    assert [(m.term, m.sentiment) for m in found[0]] == [("food", 1), ("staff", -1), ("music", 1), ("food", -1)]
    assert all(text[m.begin : m.end] == m.term for m in found[0])
    assert found[1] == found[2] == ()


def test_a_folder_answers_as_what_was_trained(taught, tmp_path):
    from inkling.language._aspects_model import AspectModel

    taught.model.save(tmp_path / "aspects")
    loaded = AspectModel.load(tmp_path / "aspects")
    texts = [one.text for one in world(6, 4)]
    assert loaded.read(texts) == taught.model.read(texts)
    assert loaded.fingerprint == taught.model.fingerprint
    (tmp_path / "aspects" / "terms.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match="altered"):
        AspectModel.load(tmp_path / "aspects")
    with pytest.raises(BundleError, match="holds no aspect model"):
        AspectModel.load(tmp_path / "nothing")


def test_reading_needs_no_torch(taught, tmp_path):
    import subprocess
    import sys

    taught.model.save(tmp_path / "aspects")
    code = (
        "import sys; from inkling.language._aspects_model import AspectModel;"
        "print(len(AspectModel.load(sys.argv[1]).read(['the food is tasty but the staff is rude .'])[0]));"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "aspects")], capture_output=True, check=True)
    assert done.stdout.strip() == b"2"


def test_a_term_beyond_what_is_read_is_judged_all_the_same(taught):
    long = "the " * 60 + "food"
    judged = taught.model.judge([Marked(long, terms=(Term(240, 244, "neutral"),))])
    assert judged[0].terms[0][:2] == (240, 244)


def test_the_same_seed_teaches_the_same(folder):
    from inkling.language._aspects_train import AspectTraining, train_aspects

    config = AspectTraining(model=str(folder), epochs=2, max_tokens=24)
    first, second = (train_aspects(world(16, 0), [], config, Run(seed=3)) for _ in range(2))
    assert first.trained.losses == pytest.approx(second.trained.losses, rel=1e-4)
    held = world(4, 5)
    for one, other in zip(first.model.judge(held), second.model.judge(held), strict=True):
        assert all(np.allclose(a[2], b[2], atol=1e-4) for a, b in zip(one.terms, other.terms, strict=True))


def test_a_shop_teaches_its_own_model(folder, tmp_path):
    from inkling.core.errors import ConfigError
    from inkling.language.aspects import open_reader, train_aspects

    model = train_aspects(world(8, 0), [], {"model": str(folder), "epochs": 1, "max_tokens": 24}, run=Run())
    model.save(tmp_path / "own")
    assert open_reader(tmp_path / "own").fingerprint == model.fingerprint
    with pytest.raises(ConfigError, match="unknown key 'epoch'"):
        train_aspects(world(8, 0), [], {"epoch": 1}, run=Run())


def test_without_transformers_it_is_said(monkeypatch):
    import sys

    from inkling.core.errors import MissingExtraError
    from inkling.language.aspects import train_aspects

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        train_aspects([], [], run=Run())


def test_nothing_to_learn_from():
    pytest.importorskip("torch", reason="the aspect model is trained with torch")
    from inkling.language._aspects_train import AspectTraining, train_aspects

    with pytest.raises(DataError, match="No sentence has a marked term"):
        train_aspects([Marked("nothing here")], [], AspectTraining(), Run())


def test_tables_of_marks():
    terms = pl.DataFrame({"text": ["a b", "a b"], "begin": [0, 2], "end": [1, 3], "polarity": ["positive", "neutral"]})
    categories = pl.DataFrame({"text": ["a b"], "category": ["food"], "polarity": ["negative"]})
    both = marked(terms, categories)
    assert both[0].terms == (Term(0, 1, "positive"), Term(2, 3, "neutral"))
    assert both[1].categories == (("food", "negative"),)
    assert category_names(both) == ("food",)
    assert without(both, [Marked("A  b!")]) == []
    with pytest.raises(DataError, match="'angry' is no polarity"):
        marked(terms.with_columns(pl.lit("angry").alias("polarity")))
    with pytest.raises(DataError, match="outside its sentence of 3"):
        marked(terms.with_columns(pl.lit(9).alias("end")))


def test_labels_stand_at_their_tokens():
    class Encoding:
        ids = (2, 5, 6, 7, 3)
        offsets = ((0, 0), (0, 4), (5, 8), (8, 10), (0, 0))

    class Tokenizer:
        def encode_batch(self, texts):
            return [Encoding() for _ in texts]

    known = Marked("good menus", terms=(Term(5, 10, "neutral"), Term(11, 14, "neutral")))
    first, second = labelled(Tokenizer(), [known, Marked("good menus", categories=(("b", "positive"),))], ("a", "b"))
    assert first.tags == (IGNORED, 0, 1, 2, IGNORED)
    assert first.spans == ((2, 4, 1),)
    assert first.categories == ()
    assert set(second.tags) == {IGNORED}
    assert second.categories == (0, 3)


def test_spans_of_tags():
    assert spans_of([0, 1, 2, 0, 1, 1, 2]) == [(1, 3), (4, 5), (5, 7)]
    assert spans_of([2, 2, 0]) == [(0, 2)]
    assert spans_of([]) == []


def test_found_terms_are_whole_words():
    from inkling.language._aspects_model import _whole_words

    words = (None, 0, 1, 1, 1, 2, None)
    assert _whole_words(words, 2, 3) == _whole_words(words, 3, 4) == (2, 5)
    assert _whole_words(words, 1, 2) == (1, 2)
    assert _whole_words(words, 5, 6) == (5, 6)


def test_sentences_of_a_text():
    text = "One. Two!\n\n三。四"
    assert sentences_of(text) == [(0, "One. "), (5, "Two!\n\n"), (11, "三。"), (13, "四")]
    long = "word " * 200
    parts = sentences_of(long)
    assert len(parts) > 2
    assert "".join(part for _, part in parts) == long
    assert all(long[at : at + len(part)] == part for at, part in parts)
    assert [len(part) for _, part in sentences_of("x" * 900)] == [400, 400, 100]
