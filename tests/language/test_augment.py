import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.core.errors import ConfigError, InklingError, RequestError
from inkling.language.augment import Synonyms, Translator, back_translate, delete_span


def rng(seed=0):
    return np.random.default_rng(seed)


@given(st.text(max_size=60), st.integers(0, 99), st.floats(0.05, 0.95))
def test_a_span_goes_and_something_stays(text, seed, share):
    short = delete_span(text, rng(seed), share=share)
    assert short == delete_span(text, rng(seed), share=share)
    assert len(short) <= len(text)
    assert bool(short.strip()) == bool(text.strip())


def test_a_span_is_a_run_of_words_or_characters():
    text = "one two three four five six seven eight nine ten"
    short = delete_span(text, rng(1), share=0.3)
    left = short.split()
    assert 7 <= len(left) <= 9
    assert [word for word in text.split() if word in left] == left
    chinese = delete_span("这家店的味道很好", rng(2), share=0.5)
    assert 4 <= len(chinese) < 8
    assert " " not in chinese
    assert delete_span("alone", rng()) == "alone"
    with pytest.raises(ConfigError, match="share of 1"):
        delete_span(text, rng(), share=1)


def test_near_words_take_the_place_of_others():
    synonyms = Synonyms()
    text = "A WONDERFUL guitar for the Beginner"
    new = synonyms.replace(text, rng(3), share=0.9)
    assert new != text
    assert new == Synonyms().replace(text, rng(3), share=0.9)
    assert len(new.split()) == 6
    assert [word for word in new.split() if word in {"A", "for", "the"}] == ["A", "for", "the"]
    assert new.split()[1].isupper()
    assert new.split()[-1][0].isupper()
    assert synonyms.replace("the 好吃", rng()) == "the 好吃"
    with pytest.raises(ConfigError, match="share of 0"):
        synonyms.replace(text, rng(), share=0)


def test_near_is_near():
    near = Synonyms().near("guitar")
    assert 0 < len(near) <= 5
    assert "guitars" not in near
    assert Synonyms().near("qqqqzzz") == ()


def test_there_and_back():
    asked = []

    def translate(texts, source, target):
        asked.append((source, target))
        return [f"{text} {target}" if text != "lost" else "" for text in texts]

    assert back_translate(["a", "lost"], translate, source="en", through="fr") == ["a fr en", "en"]
    assert asked == [("en", "fr"), ("fr", "en")]
    assert back_translate(["kept"], lambda texts, source, target: [" "], source="en", through="fr") == ["kept"]
    assert back_translate([], translate, source="en", through="fr") == []
    with pytest.raises(RequestError, match="given 1 texts and answered with 0"):
        back_translate(["a"], lambda texts, source, target: [], source="en", through="fr")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small T5 of random weights."""
    torch = pytest.importorskip("torch", reason="translating needs torch")
    transformers = pytest.importorskip("transformers", reason="translating needs transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    place = tmp_path_factory.mktemp("translator") / "to-fr"
    words = ("<pad>", "</s>", "<unk>", "good", "mug", "bon", "tasse", "translate", "en", "to", "fr", ":")
    inner = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=32
    )
    tokenizer.save_pretrained(place)
    config = transformers.T5Config(
        vocab_size=len(words), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, decoder_start_token_id=0,
        pad_token_id=0, eos_token_id=1,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.T5ForConditionalGeneration(config).save_pretrained(place)
    return place


def test_a_model_that_the_user_names(folder):
    translator = Translator(str(folder.parent / "to-{target}"), prefix="translate {source} to {target}: ", max_tokens=5)
    texts = ["good mug"] * 17
    first = translator(texts, "en", "fr")
    assert len(first) == 17
    assert all(isinstance(text, str) for text in first)
    assert translator(texts, "en", "fr") == first
    again = back_translate(["good mug"], Translator(str(folder)), source="en", through="fr")
    assert len(again) == 1
    assert again[0]


def test_what_is_no_translator_is_said(folder, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(InklingError, match="cannot be read as a model that translates"):
        Translator(str(tmp_path))(["a"], "en", "fr")
