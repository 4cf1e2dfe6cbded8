import sys

import pytest

from inkling.core.errors import MissingExtraError
from inkling.training.extra import need_torch


def test_a_missing_torch_names_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r"'sasrec' needs torch.*pip install 'inkling\[train\]'"):
        need_torch("'sasrec'")


def test_a_torch_that_is_here_is_no_error():
    pytest.importorskip("torch", reason="training is an extra")
    need_torch()
