import ctypes

from inkling.stores import freed


def test_the_allocator_is_told(monkeypatch):
    told = []

    class Library:
        def __init__(self, name):
            assert name is None
            self.malloc_trim = told.append

    monkeypatch.setattr(ctypes, "CDLL", Library)
    freed.give_back()
    assert told == [0]


def test_one_that_cannot_be_told_is_left_alone(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert freed.give_back() is None
