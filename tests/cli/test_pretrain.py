"""The command: it reads, tells what that was worth, goes on after an interruption, and writes what others take."""

import json

import pytest

pytest.importorskip("torch", reason="pretraining needs torch")
pytest.importorskip("transformers", reason="pretraining needs transformers")

from inkling.cli import main
from inkling.encoders.backbone import BackboneEncoder, load_backbone
from inkling.language import pretrain as library

TINY = [word for pair in ("dim=32", "n_layers=1", "n_heads=2", "n_tokens=100", "max_tokens=16", "lr=3e-3", "batch=8")
        for word in ("--set", pair)]  # fmt: skip


@pytest.fixture(scope="module")
def made(shop, tmp_path_factory):
    out = tmp_path_factory.mktemp("pretrained")
    words = ["--objective", "mlm", "--epochs", "3", *TINY, "--json", str(out / "report.json")]
    assert main(["pretrain", str(shop), "--out", str(out / "model"), *words]) == 0
    return out


def test_what_is_written(made):
    report = json.loads((made / "report.json").read_bytes())
    assert [measured["objective"] for measured in report["measured"]] == ["mlm"]
    assert report["measured"][0]["after"] < report["measured"][0]["before"]
    assert report["epochs"] == 3
    assert BackboneEncoder(made / "model").encode(["red mug"]).any()
    assert load_backbone(made / "model").card.learned == ()  # no event of this shop says anything
    assert sorted(path.name for path in made.iterdir()) == ["model", "report.json"]


def test_it_goes_onwards_up_to_a_cut_and_measures_after_it(made, shop, tmp_path, capsys):
    words = ["--from", str(made / "model"), "--cut", ".8", "--measure", "--epochs", "1", "--set", "max_tokens=16"]
    assert (
        main(["pretrain", str(shop), "--out", str(tmp_path / "more"), *words, "--json", str(tmp_path / "r.json")]) == 0
    )
    told = capsys.readouterr().out
    assert "texts that were never read" in told
    assert "of the model" in told
    assert "NDCG@10 of 'semantic' on what came after the cut: before" in told
    assert set(json.loads((tmp_path / "r.json").read_bytes())["semantic_ndcg@10"]) == {"before", "after"}


def test_an_interrupted_one_is_taken_up(shop, tmp_path, monkeypatch, capsys):
    out, folder = tmp_path / "model", tmp_path / "model.checkpoint"
    words = ["pretrain", str(shop), "--out", str(out), "--epochs", "3", *TINY]
    real = library.pretrain

    def killed(*args, **how):
        def progress(stage, done, total):
            if (stage, done) == ("pretraining", 2):
                raise KeyboardInterrupt

        from dataclasses import replace

        return real(*args[:3], replace(args[3], progress=progress), **how)

    monkeypatch.setattr(library, "pretrain", killed)
    assert main(words) == 130
    assert folder.is_dir()
    monkeypatch.setattr(library, "pretrain", real)
    assert main(words) == 2
    assert "Add --resume, or remove that folder" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 0
    assert out.is_dir()
    assert not folder.exists()


def test_a_loss_that_does_not_fall_is_said(made, shop, tmp_path, capsys):
    words = ["--from", str(made / "model"), "--epochs", "1", "--set", "lr=0.5", "--set", "clip=0"]
    assert main(["pretrain", str(shop), "--out", str(tmp_path / "bad"), *words, "--set", "max_tokens=16"]) == 0
    assert "the held-out loss did not fall" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["--minutes", "-1"], "--minutes -1, --epochs 0: expected 0 or more"),
    (["--cut", "1.5"], "--cut is 1.5, expected above 0 and up to 1"),
    (["--measure"], "--measure needs --cut"),
    (["--resume"], "--resume: nothing was interrupted"),
    (["--set", "objetives=mlm"], "unknown key 'objetives'"),
    (["--objective", "mlm,cloze"], "pretrain: Invalid enum value 'cloze'"),
])  # fmt: skip
def test_wrong_words_are_refused_before_the_work(shop, tmp_path, capsys, words, message):
    assert main(["pretrain", str(shop), "--out", str(tmp_path / "out"), *words]) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_the_place_of_something_else_is_not_taken(shop, tmp_path, capsys):
    (tmp_path / "dear.txt").write_text("dear")
    assert main(["pretrain", str(shop), "--out", str(tmp_path)]) == 2
    assert "exists and is no language model" in " ".join(capsys.readouterr().err.split())
