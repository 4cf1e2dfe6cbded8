"""The demo's parts on a small shop; the whole of it is ``make demo``."""

import json

import pytest

from inkling.cli import _lines, demo, main
from inkling.cli._race import BASELINES
from inkling.core.errors import InklingError


def test_the_lines_of_python_run_as_they_stand(bundle):
    lines = _lines.python_lines(str(bundle), "u0", "red-mug")
    printed = _lines.run_python(lines).splitlines()
    assert len(printed) == 7
    assert all("-" in line.split()[0] for line in printed[:5])
    assert printed[5].startswith("[")


def test_lines_that_fail_say_why():
    with pytest.raises(InklingError, match="NameError: name 'nothing' is not defined"):
        _lines.run_python("print(nothing)")


def test_a_call_is_one_line_for_a_shell():
    line = _lines.curl_line("http://127.0.0.1:8080", "/v1/recommend", {"text": "it's"})
    assert line == (
        "curl -s http://127.0.0.1:8080/v1/recommend -H 'content-type: application/json' -d '{\"text\": \"it'\\''s\"}'"
    )


def test_calls_are_answered_without_a_socket(bundle):
    import inkling

    with inkling.open(bundle=bundle) as engine:
        event = {"user_id": "u0", "item_id": "blue-mug", "event": "purchase"}
        taken = json.loads(_lines.call(engine, "/v1/events", {"events": [event]}))
        found = json.loads(_lines.call(engine, "/v1/recommend", {"user_id": "u0", "k": 3}))
    assert taken["accepted"] == 1
    assert found["version"] >= taken["version"]
    assert len(found["items"]) == 3


def test_somebody_is_known(bundle):
    import inkling

    with inkling.open(bundle=bundle) as engine:
        assert engine.get_user(_lines.somebody(engine))["n_events"] >= 14
    with inkling.open() as engine, pytest.raises(InklingError, match="nobody is known"):
        _lines.somebody(engine)


def test_the_whole_of_it_on_a_small_shop(shop, tmp_path, monkeypatch, capsys):
    from inkling import datasets, scenarios
    from inkling.cli import _race
    from inkling.evaluation.contenders import PipelineContender
    from inkling.evaluation.folder import evaluate_folder
    from inkling.events.folder import load_folder
    from inkling.protocol.spec import ProtocolSpec

    class Small(_race.Race):
        def __init__(self, progress):
            self._aside = None

        def run(self, folder):
            spec = ProtocolSpec(ks=(10,), n_resamples=50)
            settings = {"members": {"popular": {"retriever": "popular"}}, "n_windows": 1}

            def keep(pipeline):
                self.pipeline = pipeline

            models = ("popular", PipelineContender("default", "default", settings, on_fit=keep))
            self.found = evaluate_folder(folder, scenarios.load("retail"), spec=spec, models=models).report

        def reports(self):
            return [self.found]

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(datasets, "load", lambda name, **_: load_folder(shop))
    monkeypatch.setattr(demo, "Race", Small)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-serve"]) == 0
    told = capsys.readouterr().out
    assert 'engine = inkling.open(bundle="out/demo")' in told
    assert "/v1/events" in told
    assert '"accepted":1' in told
    assert "seconds in all" in told
    assert (tmp_path / "out" / "demo" / "manifest.json").is_file()
    (report,) = json.loads((tmp_path / "out" / "demo.json").read_bytes())
    assert {model["name"] for model in report["models"]} == {"popular", "default"}


def test_it_says_where_to_look(bundle, capsys, monkeypatch):
    import inkling
    from inkling.cli import _screen
    from inkling.server import serve as serving

    monkeypatch.setattr(serving, "serve", lambda engine, port, ready: ready(f"http://127.0.0.1:{port}"))
    with inkling.open(bundle=bundle) as engine:
        demo._serve(_screen.out(), engine, 9000)
    assert "http://127.0.0.1:9000/console" in capsys.readouterr().out


def test_the_baselines_are_those_of_evaluate():
    from inkling.evaluation.models import BASELINES as KNOWN

    assert set(BASELINES) <= set(KNOWN)
    for name, grid in BASELINES.items():
        assert all(settings in KNOWN[name].grid for settings in grid), name
