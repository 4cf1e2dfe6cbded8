"""Encoders made from a teacher: each is served without torch, kept, and taken in by a bundle."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="students are taught by torch")
pytest.importorskip("transformers", reason="the teacher is a transformer")

from inkling.core.errors import ConfigError
from inkling.core.run import Run
from inkling.encoders import open_encoder
from inkling.engine import students
from inkling.engine.pipeline import Trace
from inkling.engine.reencoding import with_encoder
from inkling.engine.students import NAMES, PRUNED, STUDENT, TABLE, Students, teacher_of
from inkling.testing.backbones import small_backbone


@pytest.fixture(scope="module")
def bundle(shop):
    with shop.fitted(n_windows=1) as engine:
        return engine.bundle


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teacher") / "small"
    small_backbone("bert").save(folder)
    return str(folder)


@pytest.fixture(scope="module")
def makers(teacher, bundle, tmp_path_factory):
    place = tmp_path_factory.mktemp("students")
    students._LAYERS = 1
    return Students(teacher, bundle.base, place, Run(), minutes=0.02).makers()


def test_every_student_has_a_maker(makers):
    assert tuple(makers) == NAMES


@pytest.mark.parametrize("name", ["int8", PRUNED, STUDENT, TABLE])
def test_a_student_reads_without_torch_and_is_made_once(makers, name, monkeypatch):
    folder = makers[name]()
    vectors = open_encoder(folder).encode(["cat food", "car wax"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
    monkeypatch.setattr(Students, "_make", None)
    assert makers[name]() == folder


def test_a_bundle_takes_it_in_and_carries_it(makers, bundle, tmp_path):
    made = with_encoder(bundle, makers[TABLE](), Run(), name="table")
    made.write(tmp_path / "b")
    back = type(made).read(tmp_path / "b")
    assert set(back.state.files) == {path.name for path in (tmp_path / "b" / "encoder").iterdir()}
    assert back.state.settings["config"]["encoder"] == "table"
    query = back.base.query(np.arange(4, dtype=np.int32))
    first, again = (one.pipeline().recommend(query, 3, Trace()).item_rows.tolist() for one in (made, back))
    assert first == again
    assert back.pipeline().encode(["cat toy"])["table"].shape[0] == 1


def test_an_unknown_student(teacher, bundle, tmp_path):
    with pytest.raises(ConfigError, match="no student 'tiny'"):
        Students(teacher, bundle.base, tmp_path, Run(), names=("tiny",)).makers()


def test_where_a_teacher_comes_from(teacher):
    assert teacher_of(teacher) == teacher
    assert teacher_of("hashing") == ""
    assert teacher_of("auto") in ("", "minilm")
