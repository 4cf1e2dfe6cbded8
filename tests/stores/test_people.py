from __future__ import annotations

from inkling.core.vocabulary import Vocabulary
from inkling.stores.base import Changes
from inkling.stores.people import PeopleTable


def test_put_patch_delete():
    people = PeopleTable(Vocabulary())
    people.apply(Changes("users", ({"user_id": "ann", "age": 30, "about": "tea"}, {"user_id": "bob"}), 2))
    people.apply(Changes("patch_users", ({"user_id": "ann", "age": None, "city": "Ulm"},), 3))
    people.apply(Changes("users", ({"user_id": "ann", "age": 99},), 1))
    assert people.get(0) == {"user_id": "ann", "about": "tea", "city": "Ulm"}
    assert (people.get(1), people.get(2), len(people), people.version) == ({"user_id": "bob"}, None, 2, 3)
    people.apply(Changes("erase", ({"user_id": "ann"},), 4))
    assert (people.get(0), len(people)) == (None, 1)
    assert (people.delete("bob"), people.delete("bob"), people.delete("ghost")) == (1, 0, 0)


def test_patching_somebody_new():
    people = PeopleTable(Vocabulary())
    people.patch([{"user_id": "ann", "city": "Ulm"}])
    assert people.get(0) == {"user_id": "ann", "city": "Ulm"}


def test_the_copy_is_the_callers():
    people = PeopleTable(Vocabulary())
    people.put([{"user_id": "ann"}])
    people.get(0)["age"] = 3
    assert people.get(0) == {"user_id": "ann"}


def test_opting_out_and_in_again():
    people = PeopleTable(Vocabulary())
    people.apply(
        Changes("events", ({"user_id": "ann", "event": "opt_out"}, {"session_id": "s", "event": "opt_out"}), 2)
    )
    assert (people.opted_out(0), people.opted_out(1)) == (True, False)
    people.put([{"user_id": "ann", "city": "Ulm"}])
    assert people.opted_out(0)
    people.patch([{"user_id": "ann", "opted_out": False}])
    assert not people.opted_out(0)
    people.put([{"user_id": "ann", "opted_out": True}])
    assert people.opted_out(0)
    people.delete("ann")
    assert not people.opted_out(0)


def test_load_leaves_out_those_of_whom_only_the_id_is_known():
    people = PeopleTable(Vocabulary(["ann", "bob"]))
    people.load([{"user_id": "ann", "age": None}, {"user_id": "bob", "age": 3}])
    assert (people.get(0), people.get(1)) == (None, {"user_id": "bob", "age": 3})
