from dataclasses import replace

import numpy as np

from inkling.core.candidates import Candidates
from inkling.ranking import labels_of_events, rated, values_of_events
from inkling.testing.worlds import Happening, dataset

PEOPLE = np.array([2, 0], dtype=np.int32)


def happened():
    data = dataset(
        [
            Happening(0, 1, 1, value=4.0),
            Happening(0, 3, 2),
            Happening(2, 1, 3, value=2.0),
            Happening(2, 1, 4, value=5.0),
            Happening(1, 0, 5, value=1.0),
        ],
        shape=(3, 4),
    )
    events = np.array([0, 1, 0, 0, 1], dtype=np.int16)
    return replace(data.interactions, event_names=("view", "purchase"), events=events)


def items():
    rows = np.array([0, 1, 2, 1, 3], dtype=np.int32)
    return Candidates.of(np.array([0, 3, 5]), rows, np.zeros(5, dtype=np.float32), source="x")


def test_labels_are_by_person_item_and_event():
    assert labels_of_events(items(), PEOPLE, happened(), ["view", "purchase"]).tolist() == [0, 1, 0, 1, 1]
    assert labels_of_events(items(), PEOPLE, happened(), ["purchase"]).tolist() == [0, 0, 0, 0, 1]
    assert labels_of_events(items(), PEOPLE, happened(), ["unknown"]).tolist() == [0] * 5


def test_the_last_value_counts():
    values = values_of_events(items(), PEOPLE, happened())
    assert np.isnan(values).tolist() == [True, False, True, False, True]
    assert values[[1, 3]].tolist() == [5, 4]
    none = happened().select(np.zeros(5, dtype=np.bool_))
    assert np.isnan(values_of_events(items(), PEOPLE, none)).all()


def test_what_was_rated_becomes_candidates():
    found = rated(PEOPLE, happened())
    assert [found.rows_of(person).tolist() for person in (0, 1)] == [[1], [1]]
    assert values_of_events(found, PEOPLE, happened()).tolist() == [5, 4]
