"""The command: it learns, tells what moved, and leaves a model that other commands take."""

import json

import pytest

pytest.importorskip("torch", reason="language models are adapted by torch")
pytest.importorskip("peft", reason="and by peft")

from inkling.cli import main
from inkling.encoders.exported import ExportedEncoder
from inkling.testing.backbones import small_backbone

WORDS = ["--set", "rank=2", "--set", "epochs=2", "--set", "max_tokens=12"]


@pytest.fixture(scope="module")
def adapted(shop, tmp_path_factory):
    out = tmp_path_factory.mktemp("adapted")
    small_backbone("bert").save(out / "small")
    places = ["--from", str(out / "small"), "--out", str(out / "own"), "--export", str(out / "served")]
    learned = ["--objectives", "sequence,similarity=0.5", "--cut", ".8", *WORDS]
    assert main(["adapt", str(shop), *places, *learned]) == 0
    return out


def test_what_is_written(adapted):
    said = json.loads((adapted / "own" / "adapted.json").read_text())
    assert said["settings"]["objectives"] == {"sequence": 1.0, "similarity": 0.5}
    assert said["settings"]["rank"] == 2
    encoder = ExportedEncoder(adapted / "served")
    assert encoder.encode(["red mug"]).shape == (1, 32)
    assert encoder.card.learned[0].trained_until == said["report"]["trained_until"]


def test_it_goes_on_from_what_it_wrote_and_tells(adapted, shop, capsys):
    words = ["--from", str(adapted / "own"), "--out", str(adapted / "again"), "--method", "full", "--minutes", "0.001"]
    assert main(["adapt", str(shop), *words, *WORDS]) == 0
    told = capsys.readouterr().out
    assert "(100.0%)" in told
    assert "seconds" in told


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--minutes", "-1"], "--minutes is -1"),
        (["--cut", "0"], "--cut is 0"),
        (["--objectives", "sequence=x"], "is no number"),
        (["--objectives", "sequense"], "no objective 'sequense'"),
        (["--set", "rnak=2"], "unknown key 'rnak'"),
    ],
)
def test_words_that_do_not_fit(shop, tmp_path, capsys, words, match):
    assert main(["adapt", str(shop), "--out", str(tmp_path / "o"), *words]) == 2
    assert match in " ".join(capsys.readouterr().err.split())
