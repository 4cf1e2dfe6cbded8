"""bfloat16 in training is a setting that a command reaches, and it learns."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch")

from inkling.cli._inputs import resolve
from inkling.core.config import parse
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.engine.pipelines.default import DefaultConfig
from inkling.retrieval import RETRIEVERS, build
from inkling.testing import worlds

TINY = {"dim": 16, "epochs": 4, "negatives": 16}


def test_set_reaches_the_member_that_is_trained():
    _, settings = resolve(Scenario(pipeline="default"), [("members.sequence.settings.bf16", "true")])
    member = parse(DefaultConfig, settings, where="settings").members["sequence"]
    kind = RETRIEVERS.get(member.retriever)
    assert parse(kind.Config, member.settings, where="sequence").bf16 is True
    assert parse(kind.Config, {}, where="sequence").bf16 is False


def test_half_precision_learns_what_full_precision_does():
    """The same seed gives nearly the same model: other numbers, kept in float32, and the same favourites."""
    data = worlds.shop()
    query = data.query(np.arange(12, dtype=np.int32))
    full, half = (build("sasrec", {**TINY, "bf16": bf16}).fit(data, Run(seed=1)) for bf16 in (False, True))
    weights = {name for name in half.state() if name.startswith("weights.")}
    assert weights
    assert {half.state()[name].dtype for name in weights} == {np.dtype(np.float32)}
    assert any(not np.array_equal(half.state()[name], full.state()[name]) for name in weights)
    ours, theirs = (model.people(query)[0].ravel() for model in (half, full))
    assert float(ours @ theirs / np.linalg.norm(ours) / np.linalg.norm(theirs)) > 0.95
