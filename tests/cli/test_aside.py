"""Work in a second process: its result, its progress, its errors, its death."""

import os
import time

import pytest

from inkling.cli._aside import Aside
from inkling.core.errors import DataError, InklingError


def add(first, second, progress):
    progress("adding", 0, 1)
    progress("adding", 1, 1)
    return first + second


def fail(progress):
    raise DataError("The file is empty.", hint="Export it again.")


def die(progress):
    os._exit(9)


def sleep(progress):
    time.sleep(60)


def test_result_and_progress_arrive():
    seen = []
    aside = Aside(add, 2, 3, progress=lambda *told: seen.append(told))
    assert aside.result() == 5
    assert seen == [("adding", 0, 1), ("adding", 1, 1)]


def test_an_error_arrives():
    with pytest.raises(DataError, match=r"The file is empty\. Export it again\."):
        Aside(fail, progress=lambda *_: None).result()


def test_a_death_is_told():
    with pytest.raises(InklingError, match="ended with status 9 and no result"):
        Aside(die, progress=lambda *_: None).result()


def test_it_can_be_stopped():
    aside = Aside(sleep, progress=lambda *_: None)
    aside.stop()
    with pytest.raises(InklingError, match="no result"):
        aside.result()
