"""Where milliseconds and megabytes go: every part has its row, and the parts add up."""

import json

import pytest

from inkling.cli import main


def test_every_part_is_told(bundle, capsys):
    assert main(["profile", str(bundle), "--people", "20"]) == 0
    told = capsys.readouterr().out
    for word in ("recall", "rank", "policy", "semantic", "Networks, by operation", "On disk", "Resident", "hit rate"):
        assert word in told


def test_the_numbers_hold_together(bundle, capsys):
    assert main(["profile", str(bundle), "--people", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["stages"]) == {"a person", "a sentence", "text to vector"}
    for kind in ("a person", "a sentence"):
        parts = {part["name"]: part for part in found["stages"][kind]}
        whole = parts.pop("whole answer")
        order = ["state", "recall", "features", "rank", "policy", "answer"]
        assert list(parts) == [stage for stage in order if stage in parts]
        assert {"state", "recall", "rank", "answer"} <= set(parts)
        assert 0 < sum(part["share"] for part in parts.values()) <= 1.001
        assert 0 < whole["p50_ms"] <= whole["p99_ms"]
    names = {member["name"] for member in found["members"]}
    assert {"semantic", "popular"} <= names
    assert sum(one["share"] for one in found["layers"] if one["network"] == "text to vector") == pytest.approx(1)
    on_disk = {row["name"]: row["bytes"] for row in found["disk"]}
    assert on_disk["manifest.json"] == (bundle / "manifest.json").stat().st_size
    assert any(name.startswith("encoder 'auto'") for name in on_disk)
    *parts, together = found["memory"]
    assert together["name"] == "together"
    assert sum(part["bytes"] for part in parts) == together["bytes"] > 20 << 20
    assert found["caches"]["texts"]["misses"] > 0


@pytest.mark.parametrize(
    ("words", "told"), [(["HERE"], "There is no bundle"), (["BUNDLE", "--people", "0"], "expected at least 1")]
)
def test_a_wrong_word_is_one_line(words, told, bundle, tmp_path, capsys):
    places = {"BUNDLE": str(bundle), "HERE": str(tmp_path)}
    assert main(["profile", *[places.get(word, word) for word in words]]) == 2
    assert told in capsys.readouterr().err


def test_a_damaged_bundle_says_why(bundle, tmp_path, capsys):
    from inkling.engine.bundle import Bundle

    Bundle.read(bundle).write(tmp_path / "b")
    (tmp_path / "b" / "history" / "users.json").write_bytes(b"[]")
    assert main(["profile", str(tmp_path / "b")]) == 2
    assert "could not be asked" in capsys.readouterr().err
