from dataclasses import replace

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.ranking import build, teach
from inkling.testing.ranking import tasks


class Knowing:
    """A teacher who sees what decides."""

    name = "knowing"

    def score(self, query, items):
        return items.with_scores(items.fields["signal"].astype(np.float32))


def few_clicks(n_people=200, clicks=12):
    """Candidates of many people, of whom few clicked; clicks are noisy, the signal says what everyone would take."""
    data = tasks(n_people=n_people, seed=3)
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(len(data.labels)) < 0.2, rng.random(len(data.labels)) < 0.2, data.labels)
    labels = np.where(data.candidates.segment_rows < clicks, labels, 0).astype(np.float32)
    return replace(data, labels=labels, further={})


def taken_first(model):
    fresh = tasks(n_people=80, seed=9)
    items = fresh.candidates.with_fields({"taken": fresh.labels})
    return float(model.score(fresh.query, items).top(2).fields["taken"].mean())


def test_a_taught_ranker_knows_what_clicks_are_too_few_to_tell():
    data, settings = few_clicks(), {"trees": 40, "min_examples": 20}
    own = taken_first(build("gbdt", settings).fit(data, Run(seed=1)))
    taught = build("gbdt", {**settings, "grades": 4}).fit(teach(data, Knowing()), Run(seed=1))
    assert taken_first(taught) > max(own + 0.05, 0.9)


def test_labels_hold_the_click_and_the_teachers_place():
    data = tasks(n_people=2)
    taught = teach(data, Knowing(), share=0.5, grades=4)
    signal = data.candidates.fields["signal"][:12]
    place = (-signal).argsort().argsort()
    expected = np.rint(4 * (0.5 * data.labels[:12] + 0.5 / (1 + place))) / 4
    assert taught.labels[:12].tolist() == expected.tolist()
    assert (taught.labels == 0).any()
    assert teach(data, Knowing(), share=0.0).labels.tolist() == data.labels.tolist()


def test_grades_tell_more_than_taken_or_not():
    """By grades alone can the second best be told from the third."""
    data = tasks(n_people=200, seed=3)
    taught = teach(replace(data, labels=np.zeros_like(data.labels)), Knowing(), share=1.0, grades=5)
    graded = build("gbdt", {"trees": 40, "min_examples": 20, "grades": 5}).fit(taught, Run(seed=1))
    assert taken_first(graded) > 0.9


@pytest.mark.parametrize(("settings", "match"), [({"share": 1.5}, "share is 1.5"), ({"grades": 0}, "grades is 0")])
def test_numbers_out_of_range(settings, match):
    with pytest.raises(ConfigError, match=match):
        teach(tasks(n_people=2), Knowing(), **settings)
