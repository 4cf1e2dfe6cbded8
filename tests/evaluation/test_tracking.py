"""Curves for TensorBoard and for Weights & Biases, the latter by a double of its package."""

import sys
from types import SimpleNamespace

import pytest

from inkling.core.errors import ConfigError, MissingExtraError
from inkling.evaluation.tracking import Tracking, open_tracking


def read(folder):
    """Return tag -> [(step, value)] of the event files in a folder."""
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    found = {}
    for path in folder.glob("events*"):
        for raw in RawEventFileLoader(str(path)).Load():
            event = Event.FromString(raw)
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_each_run_has_event_files_of_its_own(tmp_path):
    pytest.importorskip("tensorboard", reason="it writes the event files")
    tracking = open_tracking(tmp_path / "logs")
    for number in (0, 1):
        with tracking.trial(f"ease/trial-000{number}", {"l2": 3.0, "shape": (1, 2)}) as log:
            log("training/loss", 1, 0.5)
            log("training/loss", 2, 0.25)
            log("ndcg@10", 0, 0.125 * (number + 1))
    second = read(tmp_path / "logs" / "ease" / "trial-0001")
    assert second["training/loss"] == [(1, 0.5), (2, 0.25)]
    assert second["ndcg@10"] == [(0, 0.25)]
    assert "_hparams_/session_start_info" in second
    assert read(tmp_path / "logs" / "ease" / "trial-0000")["ndcg@10"] == [(0, 0.125)]


@pytest.fixture
def wandb(monkeypatch):
    runs = []

    def init(**options):
        run = SimpleNamespace(options=options, logged=[], ended=False)
        run.log = run.logged.append
        run.finish = lambda: setattr(run, "ended", True)
        runs.append(run)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    return runs


def test_weights_and_biases_gets_a_run_for_each_trial(wandb):
    with open_tracking(service="wandb").trial("ease/trial-0000", {"l2": 3.0}) as log:
        log("training/loss", 7, 0.5)
        assert not wandb[0].ended
    assert wandb[0].ended
    said = wandb[0].options
    assert said == {"project": "inkling", "name": "ease/trial-0000", "group": "ease", "config": {"l2": 3.0}}
    assert wandb[0].logged == [{"training/loss": 0.5, "training/loss/step": 7}]


def test_a_run_that_fails_is_ended_too(wandb):
    with pytest.raises(ValueError, match="broken"), open_tracking(service="wandb").trial("fit", {}):
        raise ValueError("broken")
    assert wandb[0].ended


def test_both_at_once(wandb, tmp_path):
    pytest.importorskip("tensorboard", reason="it writes the event files")
    with open_tracking(tmp_path, "wandb").trial("fit", {}) as log:
        log("loss", 1, 1.0)
    assert read(tmp_path / "fit") == {"loss": [(1, 1.0)]}
    assert len(wandb[0].logged) == 1


def test_nothing_is_tracked_unless_asked():
    with Tracking().trial("fit", {}) as log:
        assert log("loss", 1, 1.0) is None


@pytest.mark.parametrize(
    ("module", "options", "extra"), [("tensorboard", {"logs": "x"}, "train"), ("wandb", {"service": "wandb"}, "track")]
)
def test_a_missing_package_is_named(module, options, extra, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"pip install \"inkling\[{extra}\]\""):
        open_tracking(**options)


def test_an_unknown_service_is_named():
    with pytest.raises(ConfigError, match=r"no tracking service 'wandbe'\. Did you mean 'wandb'"):
        open_tracking(service="wandbe")
