import json

import polars as pl
import pytest

from inkling.cli import main


def test_models_are_compared_and_written(shop, tmp_path, capsys):
    report, page, dumped = tmp_path / "out" / "r.json", tmp_path / "r.html", tmp_path / "dump"
    words = ["--models", "popular,repeat,semantic_basic", "--k", "5", "--seen", "keep", "--cuts", ".8"]
    places = ["--json", str(report), "--report", str(page), "--dump", str(dumped)]
    assert main(["evaluate", str(shop), *words, *places]) == 0
    told = capsys.readouterr().out
    assert "seen keep" in told
    assert all(name in told for name in ("popular", "repeat", "semantic_basic", "ndcg@5", "p99 ms"))
    found = json.loads(report.read_bytes())
    assert found["protocol"]["cuts"] == [0.8]
    assert [model["name"] for model in found["models"]] == ["popular", "repeat", "semantic_basic"]
    quality = {model["name"]: model["metrics"]["ndcg@5"]["value"] for model in found["models"]}
    assert quality["repeat"] > quality["popular"]
    assert page.read_text().startswith("<!doctype html>") or "<html" in page.read_text()[:200]
    assert {path.name for path in dumped.iterdir()} >= {"targets.parquet", "recommendations.parquet"}
    assert set(pl.read_parquet(dumped / "recommendations.parquet")["model"]) == set(quality)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--models", "poplar"], "Did you mean 'popular'?"),
        (["--split", "tim"], "Did you mean 'time'?"),
        (["--seen", "kep"], "Did you mean 'keep'?"),
        (["--cuts", "1.5"], "expected shares between 0 and 1"),
        (["--cuts", "half"], "expected numbers with commas"),
        (["--k", "0"], "expected whole numbers from 1"),
        (["--folds", "1"], "expected 0 (off) or at least 2"),
        (["--split", "given"], "split"),
        (["--json", "FOLDER"], "is a folder, expected a file"),
        (["--dump", "FILE"], "is a file, expected a folder"),
    ],
)
def test_a_wrong_word_is_one_line(words, told, shop, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    places = {"FOLDER": str(tmp_path), "FILE": str(tmp_path / "file")}
    assert main(["evaluate", str(shop), "--models", "popular", *(places.get(word, word) for word in words)]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert told in last
