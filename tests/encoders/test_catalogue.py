from __future__ import annotations

import subprocess
import sys

import pytest

from inkling.core.errors import ConfigError
from inkling.encoders import ENCODERS
from inkling.encoders.base import Encoder, Reader, Trainable


def test_the_folder_is_the_catalogue():
    assert ENCODERS.names() == ["auto", "backbone", "corpus", "exported", "hashing", "sentence", "static", "table"]


@pytest.mark.parametrize("name", ["auto", "corpus", "exported", "hashing", "sentence", "static", "table"])
def test_each_name_makes_an_encoder_without_arguments(name):
    encoder = ENCODERS.get(name)()
    assert isinstance(encoder, Encoder)
    assert encoder.name == name
    assert isinstance(encoder, Reader) == (name in {"corpus", "exported", "sentence", "static", "table"})
    assert isinstance(encoder, Trainable) == (name in {"auto", "corpus"})


def test_fingerprints_differ():
    names = [name for name in ENCODERS.names() if name != "backbone"]  # reads weights that this package does not hold
    assert len({ENCODERS.get(name)().fingerprint for name in names}) == len(names)


def test_an_unknown_name_shows_the_nearest():
    with pytest.raises(ConfigError, match="Did you mean 'sentence'"):
        ENCODERS.get("sentense")


def test_making_an_encoder_loads_no_heavy_library():
    code = (
        "import sys; from inkling.encoders import ENCODERS; [ENCODERS.get(n)() for n in ENCODERS.names()]; "
        "sys.exit(','.join({'onnxruntime', 'tokenizers', 'scipy', 'polars', 'torch'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.strip() == ""
