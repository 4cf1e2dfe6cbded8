from __future__ import annotations

import hashlib
import json

import pytest

from inkling.core.errors import BundleError
from inkling.encoders._shipped import read_card, read_checked, shipped


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "table.bin").write_bytes(b"vectors")
    digest = hashlib.sha256(b"vectors").hexdigest()
    (tmp_path / "card.json").write_text(json.dumps({"dim": 4, "max_tokens": 8, "sha256": {"table.bin": digest}}))
    return tmp_path


def test_a_file_as_the_card_describes_it_is_read(folder):
    assert read_checked(folder, "table.bin") == b"vectors"
    assert read_card(folder).dim == 4


def test_one_altered_byte_is_noticed(folder):
    (folder / "table.bin").write_bytes(b"vectorz")
    with pytest.raises(BundleError, match=r"table.bin was altered: its sha256 is .* Install the package again"):
        read_checked(folder, "table.bin")


def test_a_missing_file_is_named(folder):
    (folder / "table.bin").unlink()
    with pytest.raises(BundleError, match=r"lacks table.bin"):
        read_checked(folder, "table.bin")


@pytest.mark.parametrize("content", ["", "{}", '{"dim": "wide", "max_tokens": 1, "sha256": {}}'])
def test_a_broken_card_is_named(folder, content):
    (folder / "card.json").write_text(content)
    with pytest.raises(BundleError, match=r"no valid card.json"):
        read_card(folder)


def test_the_digest_follows_every_file(folder):
    before = read_card(folder).digest
    (folder / "card.json").write_text(json.dumps({"dim": 4, "max_tokens": 8, "sha256": {"table.bin": "0"}}))
    assert read_card(folder).digest != before


@pytest.mark.parametrize("name", ["minilm", "static"])
def test_what_is_shipped_is_what_the_card_says(name):
    card = read_card(shipped(name))
    for file in card.sha256:
        assert read_checked(shipped(name), file)


def test_the_licence_of_the_model_is_shipped_with_it():
    assert b"Apache License" in read_checked(shipped("minilm"), "LICENSE")
    assert json.loads((shipped("minilm") / "card.json").read_text())["license"] == "Apache-2.0"
