"""What a question of the protocol tells: nothing that was not known."""

from inkling.testing.logs import events, folds_of, scenario

MONDAY = 1_700_438_400_000
DAY = 86_400_000


def test_a_question_tells_the_last_context_before_the_cut():
    rows = [("a", "x", MONDAY), ("b", "x", MONDAY + 1), ("a", "y", MONDAY + 2 * DAY), ("b", "y", MONDAY + 3 * DAY)]
    log = events(rows, **{"context.device": ["phone", "desk", "desk", "phone"]})
    (fold,) = folds_of(log, own=scenario(context=("device",)), split="time", cuts=(0.25,))
    ids = [fold.train.user_ids.id_of(row) for row in fold.user_rows.tolist()]
    told = dict(zip(ids, fold.query().context["device"], strict=True))
    assert told == {"a": "phone", "b": "desk"}
