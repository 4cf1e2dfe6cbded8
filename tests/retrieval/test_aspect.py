from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import DataError, NotFoundError
from inkling.core.jagged import Jagged
from inkling.core.query import History
from inkling.core.run import Run
from inkling.retrieval import build
from inkling.testing import worlds
from inkling.testing.retrieval import RetrieverContract
from inkling.testing.worlds import Happening

SAYINGS = (
    "The price is great.",
    "Poor service, but tasty food.",
    "很好吃，送餐太慢",
    "Awful sound.",
    "Good price, rude staff.",
)


def speaking(data):
    """Return the data with a review by each event, by its item."""
    events = data.interactions
    texts = np.array([SAYINGS[row % 5] for row in events.item_rows.tolist()], dtype=object)
    return replace(data, interactions=replace(events, texts=texts))


class TestAspectContract(RetrieverContract):
    name = "aspect"

    def fitted(self, data=None):
        return super().fitted(speaking(data or worlds.shop()))


def town():
    """Places 0 and 1 are cheap, 2 and 3 serve well; 4 has both kinds of complaint, 5 says nothing."""
    said = {
        0: "The price is great.", 1: "Great price!", 2: "The service is excellent.", 3: "Excellent service.",
        4: "The price is terrible and the service is awful.", 5: "We came by car.",
    }  # fmt: skip
    happenings = [Happening(user, item, user + item / 10) for user in range(4) for item in said]
    data = worlds.dataset(happenings, shape=(4, 6))
    texts = np.array([said[row] for row in data.interactions.item_rows.tolist()], dtype=object)
    return replace(data, interactions=replace(data.interactions, texts=texts))


def asked(data, *items, text=None):
    history = History.of_items(Jagged.from_lists([list(items)]))
    query = replace(data.query(np.array([-1], dtype=np.int32)), history=history)
    return replace(query, texts=(text,)) if text else query


def test_who_chose_what_is_cheap_is_shown_what_is_cheap():
    data = town()
    model = build("aspect").fit(data, Run())
    found = model.retrieve(asked(data, 0), 6)
    assert set(found.rows_of(0)[:2].tolist()) == {0, 1}
    assert found.rows_of(0)[-1] == 4
    assert 5 not in found.rows_of(0)
    assert set(model.retrieve(asked(data, 3), 2).rows_of(0).tolist()) == {2, 3}


def test_what_is_asked_for_leads():
    data = town()
    model = build("aspect", {"text_weight": 4.0}).fit(data, Run())
    best = model.retrieve(asked(data, 0, text="somewhere with good service"), 2)
    assert set(best.rows_of(0).tolist()) == {2, 3}
    assert set(model.retrieve(asked(data, text="服务好一点"), 2).rows_of(0).tolist()) == {2, 3}
    assert len(model.retrieve(asked(data, text="hello"), 2).rows_of(0)) == 0


def test_grounds_name_the_aspect():
    data = town()
    model = build("aspect").fit(data, Run())
    query = asked(data, 0)
    ground = model.why(query, 1)[0]
    assert (ground.kind, ground.item_row, ground.about) == ("aspect", -1, "price")
    assert sum(one.weight for one in model.why(query, 1)) == pytest.approx(float(model.scores(query)[0, 1]))
    assert model.why(query, 4)[0].weight < 0
    assert model.why(query, -1) == ()


def test_a_later_review_moves_no_score():
    data = town()
    until = int(data.interactions.ts[11])
    texts = data.interactions.texts.copy()
    texts[12:] = "The price is terrible."
    planted = replace(data, interactions=replace(data.interactions, texts=texts))
    first, second = (build("aspect").fit(one.cut(until), Run()) for one in (data, planted))
    assert np.array_equal(first.scores(asked(data, 0)), second.scores(asked(data, 0)))
    assert not np.array_equal(build("aspect").fit(planted, Run()).scores(asked(data, 0)), first.scores(asked(data, 0)))


def test_what_cannot_be_fitted_is_said():
    with pytest.raises(DataError, match="no event has a text that speaks of an aspect"):
        build("aspect").fit(worlds.shop(), Run())
    with pytest.raises(NotFoundError, match="neither 'lexicon' nor a folder"):
        build("aspect", {"reader": "no-such-folder"}).fit(town(), Run())
