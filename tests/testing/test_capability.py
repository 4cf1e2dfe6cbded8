from unittest import SkipTest

import pytest

from inkling.retrieval.base import Scorer, Similar
from inkling.retrieval.popular import Popular
from inkling.testing.capability import has, run_suite


class Suite:
    def test_fine(self):
        assert has(Popular(), Scorer)

    def test_left_out(self):
        raise SkipTest("not for this one")


class Broken(Suite):
    def test_neighbours(self):
        assert has(Popular(), Similar), "popular knows no neighbours"


def test_a_suite_runs_without_a_runner():
    assert run_suite(Suite()) == 1
    with pytest.raises(AssertionError, match="knows no neighbours"):
        run_suite(Broken())
