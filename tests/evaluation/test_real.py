"""The bundled shop under the protocol: the numbers that others measured, again."""

from __future__ import annotations

import pytest

from inkling.core.scenario import Scenario
from inkling.evaluation import evaluate_folder
from inkling.evaluation.models import BASELINES
from inkling.protocol import ProtocolSpec


@pytest.mark.slow
def test_online_retail_by_time(data_root):
    from inkling import datasets

    spec = ProtocolSpec(ks=(10,), metrics=("ndcg",), n_resamples=100)
    popular = BASELINES["popular"]
    found = evaluate_folder(datasets.load("online-retail", data_root), Scenario(), spec=spec, models=[popular])
    report = found.report.model("popular")
    assert 1005 <= report.groups["warm"].n <= 1020
    assert 0.065 <= report.metrics["ndcg@10"].value <= 0.085
    assert found.report.protocol["parts"][0]["unreachable_targets"] == 0
