from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import NotFoundError
from inkling.core.jagged import Jagged
from inkling.core.query import History
from inkling.language.aspects import (
    AspectReader,
    AspectTable,
    LexiconReader,
    Mention,
    aspect_match,
    aspect_name,
    cares_of_history,
    cares_of_people,
    cares_of_texts,
    joined_cares,
    matching_aspects,
    open_reader,
    read_aspects,
    strongest,
)
from inkling.testing import worlds
from inkling.testing.worlds import Happening

LEXICON = LexiconReader()


def told(text):
    return [(mention.aspect, mention.sentiment) for mention in LEXICON.read([text])[0]]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("The staff was rude, but the food is delicious.", [("service", -1), ("taste", 1)]),
        ("Great sound and the battery lasts.", [("sound", 1), ("battery", 1), ("durability", 1)]),
        ("The price isn't good.", [("price", -1)]),
        ("Not a bad meal", [("taste", 1)]),
        ("It was never delayed", [("delivery", 1)]),
        ("The menu has a price list.", [("price", 0)]),
        ("Overpriced and rude although it’s clean", [("price", -1), ("service", -1), ("cleanliness", 1)]),
        ("味道很好，送餐太慢了", [("taste", 1), ("delivery", -1)]),
        ("不好吃", [("taste", -1)]),
        ("服务态度不是很好但是便宜", [("service", -1), ("price", 1)]),
        ("包装差。价格实惠！", [("packaging", -1), ("price", 1)]),
        ("nothing to see", []),
        ("", []),
    ],
)
def test_the_lexicon_reads_aspects_and_turns_negations(text, wanted):
    assert told(text) == wanted


def test_a_mention_stands_where_it_says():
    text = "I waited. The SERVICE was “great”, 便宜。"
    mentions = LEXICON.read([text])[0]
    assert [text[m.begin : m.end] for m in mentions] == [m.term for m in mentions] == ["SERVICE", "便宜"]
    assert all(0 < m.confidence <= 1 for m in mentions)


def test_a_shop_may_name_its_own_aspects():
    own = LexiconReader({"Strings": "strings"})
    assert [(m.aspect, m.sentiment) for m in own.read(["awful strings"])[0]] == [("strings", -1)]
    assert isinstance(own, AspectReader)
    assert own.fingerprint != LEXICON.fingerprint


def test_readers_by_name():
    assert isinstance(open_reader(), LexiconReader)
    with pytest.raises(NotFoundError, match="neither 'lexicon' nor a folder"):
        open_reader("nowhere")


def reviews(*rows):
    """Return events (user, item, day, text) as data of 4 people and 4 items."""
    data = worlds.dataset([Happening(user, item, day) for user, item, day, _ in rows], shape=(4, 4))
    texts = np.array([text for *_, text in sorted(rows, key=lambda row: row[2])], dtype=object)
    return replace(data, interactions=replace(data.interactions, texts=texts))


DATA = reviews(
    (0, 0, 1, "Good price. Good price."),
    (1, 0, 2, "Great price, slow delivery."),
    (2, 0, 3, None),
    (3, 1, 4, "Terrible price! The service was friendly."),
    (0, 1, 5, "Bad price again."),
    (2, 2, 6, "It has a price."),
)


def table(data=DATA):
    said = read_aspects(data, LEXICON)
    return said, AspectTable.of(said, data.n_items)


def test_what_an_item_is_good_and_bad_at():
    said, found = table()
    good = found.good_at(0)
    assert [(one.aspect, one.n_good, one.n_bad) for one in good] == [("price", 2, 0)]
    assert [one.aspect for one in found.bad_at(0)] == ["delivery"]
    assert [one.aspect for one in found.bad_at(1)] == ["price"]
    assert 0.5 < good[0].share < 1
    shown = found.with_snippets(good, 0, said, DATA.interactions.texts)
    assert shown[0].snippets == ("Great price, slow delivery.", "Good price.")
    assert found.good_at(2) == found.bad_at(99) == []


def test_strengths_are_beside_the_usual_and_small_numbers_say_little():
    _, found = table()
    price = found.names.index("price")
    strengths = found.strengths()
    assert strengths.dtype == np.float32
    assert strengths[0, price] > 0 > strengths[1, price]
    assert strengths[2, price] == 0
    assert strengths[3].tolist() == [0.0] * len(found.names)
    assert found.said[0, price] == 2


def test_the_table_is_plain_arrays():
    _, found = table()
    again = AspectTable.load({name: np.array(value) for name, value in found.state().items()})
    assert again.names == found.names
    assert np.array_equal(again.strengths(), found.strengths())


def test_only_what_was_said_by_a_moment_counts():
    said, _ = table()
    early = said.until(int(DATA.interactions.ts[1]))
    assert set(early.item_rows.tolist()) == {0}
    assert len(early) < len(said)
    cut = read_aspects(DATA.cut(int(DATA.interactions.ts[1])), LEXICON)
    assert cut.aspects.tolist() == [cut.names.index(early.names[a]) for a in early.aspects.tolist()]


def test_a_later_word_moves_nothing():
    planted = reviews(
        *((0, 0, day, "Good price.") for day in (1, 2)), (1, 1, 3, "Awful price, awful sound, awful smell.")
    )
    until = int(planted.interactions.ts[1])
    _, found = table(planted.cut(until))
    assert found.names == ("price",)
    assert not found.bad.any()


def test_terms_of_the_shops_own_become_aspects():
    class Terms:
        fingerprint = "terms"

        def read(self, texts):
            return [(Mention(0, 7, "Strings", 1), Mention(0, 4, "good food", -1), Mention(0, 1, "x", 0)) for _ in texts]

    rows = [(user, item, user + item / 9, "Strings") for user in range(4) for item in range(2)]
    said = read_aspects(reviews(*rows, (0, 3, 9, "")), Terms(), at_least=8)
    assert said.names == ("taste", "strings", "x")
    assert read_aspects(reviews(*rows), Terms(), at_least=9).names == ("taste",)
    assert aspect_name("strings", "zh") == "strings"
    assert aspect_name("taste", "zh") == "口味"


def test_what_people_care_about():
    said, found = table()
    cares = cares_of_people(said, 4)
    assert cares.shape == (4, len(found.names))
    assert cares.sum(axis=1).tolist() == pytest.approx([1, 1, 1, 1])
    assert not cares_of_people(said.until(0), 4).any()
    assert strongest(cares[1], found.names) == ("delivery",)
    asked = cares_of_texts(["cheap price please", None, "快点送达"], found.names, LEXICON)
    assert strongest(asked[0], found.names) == ("price",)
    assert asked[1].tolist() == [0.0] * len(found.names)
    assert strongest(asked[2], found.names) == ("delivery",)


def test_a_history_tells_what_matters_and_items_that_are_unknown_tell_nothing():
    _, found = table()
    history = History.of_items(Jagged.from_lists([[0, 0], [], [99, -1]]))
    cares = cares_of_history(history, found)
    assert cares[0].sum() == pytest.approx(1)
    assert "price" in strongest(cares[0], found.names)
    assert not cares[1:].any()


def test_cares_meet_strengths():
    cares = np.array([[0.8, 0.2], [0.0, 0.0]], dtype=np.float32)
    strengths = np.array([[0.5, -1.0], [0.0, 1.0]], dtype=np.float32)
    assert np.allclose(aspect_match(cares, strengths), [[0.2, 0.2], [0, 0]])
    found = matching_aspects(cares[0], strengths[0], ["price", "taste"])
    assert [name for name, _ in found] == ["price", "taste"]
    assert [part for _, part in found] == pytest.approx([0.4, -0.2])
    assert matching_aspects(cares[1], strengths[0], ["price", "taste"]) == []
    half = joined_cares([(1.0, cares), (3.0, np.array([[0, 1], [0, 1]], dtype=np.float32))])
    assert np.allclose(half, [[0.2, 0.8], [0, 1]])


def test_long_reviews_are_cut_around_what_they_say():
    words = " ".join(["word"] * 60)
    data = reviews((0, 0, 1, f"{words} good price {words}"))
    said, found = table(data)
    snippet = found.with_snippets(found.good_at(0), 0, said, data.interactions.texts)[0].snippets[0]
    assert "good price" in snippet
    assert len(snippet) <= 122


def test_sentiment_of_whole_texts_is_learned_in_any_language():
    from inkling.core.errors import DataError
    from inkling.language._aspects_linear import LinearSentiment

    good, bad = ["很好吃，送得快", "great mug", "味道好"], ["太慢了，难吃", "terrible mug", "味道差"]
    model = LinearSentiment(l2=0.1).fit([*good, *bad] * 3, ([True] * 3 + [False] * 3) * 3)
    assert (model.positive(["好吃", "great"]) > 0.5).all()
    assert (model.positive(["难吃", "terrible"]) < 0.5).all()
    again = LinearSentiment().load_state(model.state())
    assert np.array_equal(again.positive(good), model.positive(good))
    assert model.positive([]).shape == (0,)
    with pytest.raises(DataError, match="all texts are of one kind"):
        LinearSentiment().fit(good, [True] * 3)
    rated = reviews(*((0, 0, day, text) for day, text in enumerate([*good, *bad])))
    values = np.array([5, 5, 4, 1, 2, 1], dtype=np.float32)
    starred = replace(rated, interactions=replace(rated.interactions, values=values))
    assert LinearSentiment.of_ratings(starred).positive(good).min() > 0.5
