from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="taking in needs onnx")

from onnx import helper, numpy_helper  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: E402

from inkling.compression._export_take import roles_of, take_in  # noqa: E402
from inkling.core.errors import BundleError, ConfigError, InklingError, MissingExtraError  # noqa: E402
from inkling.encoders import open_encoder  # noqa: E402
from inkling.encoders.backbone import ModelCard  # noqa: E402

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "mug", "a", "film", "about", "by", "train", "music", "42", "the"]
TEXTS = ["red mug", "a film about the music", "42", "by train"]
DIM = 6
TABLE = np.random.default_rng(0).normal(size=(len(WORDS), DIM)).astype(np.float32)
KINDS = {"int64": onnx.TensorProto.INT64, "int32": onnx.TensorProto.INT32, "float": onnx.TensorProto.FLOAT}


def tokenizer():
    made = Tokenizer(models.WordLevel({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
    return made


def network(names=("input_ids", "attention_mask"), *, kind="int64", pooled="", opset=17, sizes=("n", "t")):
    """Return token vectors plus what mask, segments and positions add; or their sum for each text."""
    inputs = [helper.make_tensor_value_info(name, KINDS[kind], list(sizes)) for name in names]
    nodes = [
        helper.make_node("Cast", [names[0]], ["whole"], to=onnx.TensorProto.INT64),
        helper.make_node("Gather", ["table", "whole"], ["hidden_0"]),
    ]
    for place, name in enumerate(names[1:]):
        nodes += [
            helper.make_node("Cast", [name], [f"real_{place}"], to=onnx.TensorProto.FLOAT),
            helper.make_node("Unsqueeze", [f"real_{place}", "last"], [f"column_{place}"]),
            helper.make_node("Mul", [f"column_{place}", f"weight_{place}"], [f"part_{place}"]),
            helper.make_node("Add", [f"hidden_{place}", f"part_{place}"], [f"hidden_{place + 1}"]),
        ]
    end = f"hidden_{len(names) - 1}"
    outputs = [helper.make_tensor_value_info(end, onnx.TensorProto.FLOAT, [*sizes, DIM])]
    if pooled:
        way = ("Gather", [end, "first"], {"axis": 1})
        if pooled == "most":
            way = ("ReduceMax", [end], {"axes": [1], "keepdims": 0})
        nodes.append(helper.make_node(way[0], way[1], ["sentence_embedding"], **way[2]))
        outputs.append(helper.make_tensor_value_info("sentence_embedding", onnx.TensorProto.FLOAT, [sizes[0], DIM]))
    weights = {f"weight_{place}": np.float32(0.1 * (place + 1)) for place in range(3)}
    values = {"table": TABLE, "last": np.array([-1], np.int64), "first": np.array(0), **weights}
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()]
    graph = helper.make_graph(nodes, "theirs", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


@pytest.fixture
def place(tmp_path):
    def save(model):
        home = tmp_path / "theirs"
        home.mkdir(exist_ok=True)
        onnx.save(model, str(home / "model.onnx"))
        tokenizer().save(str(home / "tokenizer.json"))
        return home

    return save


def expected(pooling="mean", *, add=0.1):
    """Return what the network says of each text, in numpy."""
    found = []
    for text in TEXTS:
        hidden = TABLE[tokenizer().encode(text).ids] + np.float32(add)
        found.append(
            {"mean": hidden.mean(axis=0), "cls": hidden[0], "last": hidden[-1], "max": hidden.max(axis=0)}[pooling]
        )
    return np.stack(found) / np.linalg.norm(np.stack(found), axis=1, keepdims=True)


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_token_vectors_become_one_as_the_card_says(pooling, place, tmp_path):
    encoder = take_in(place(network()), tmp_path / "ours", card=ModelCard(pooling=pooling))
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(pooling), atol=1e-5)
    for row, text in enumerate(TEXTS):
        np.testing.assert_allclose(encoder.encode([text])[0], expected(pooling)[row], atol=1e-5)


def test_a_vector_for_each_text_is_taken_as_it_is_and_one_that_looks_at_padding_is_not(place, tmp_path):
    encoder = take_in(place(network(pooled="first")), tmp_path / "ours")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected("cls"), atol=1e-5)
    tokens = take_in(place(network(pooled="first")), tmp_path / "other", output="hidden_1")
    np.testing.assert_allclose(tokens.encode(TEXTS), expected("mean"), atol=1e-5)
    with pytest.raises(InklingError, match="if its own pooling looks at padding"):
        take_in(place(network(pooled="most")), tmp_path / "third")


@pytest.mark.parametrize("kind", ["int64", "int32", "float"])
@pytest.mark.parametrize(
    "names",
    [
        ("input_ids", "attention_mask", "token_type_ids"),
        ("input_word_ids", "input_mask", "input_type_ids"),
        ("serving/input_ids:0", "serving/attention_mask:0", "serving/token_type_ids:0"),
        ("x0", "x1", "x2"),
    ],
)
def test_inputs_are_known_by_name_or_place_in_any_type(names, kind, place, tmp_path):
    encoder = take_in(place(network(names, kind=kind)), tmp_path / "ours")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(), atol=1e-5)


def test_positions_are_counted_and_roles_may_be_told(place, tmp_path):
    names = ("what", "where", "which")
    roles = {"what": "ids", "where": "positions", "which": "mask"}
    encoder = take_in(place(network(names)), tmp_path / "ours", roles=roles)
    found = []
    for text in TEXTS:
        ids = tokenizer().encode(text).ids
        found.append((TABLE[ids] + 0.1 * np.arange(len(ids))[:, None] + 0.2).mean(axis=0))
    found = np.stack(found) / np.linalg.norm(np.stack(found), axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(TEXTS), found, atol=1e-5)


def test_old_operators_are_brought_up_to_date(place, tmp_path):
    model = network()
    nodes = [node for node in model.graph.node if node.op_type != "Unsqueeze"]
    for node in model.graph.node:
        if node.op_type == "Unsqueeze":
            nodes.insert(3, helper.make_node("Unsqueeze", [node.input[0]], list(node.output), axes=[-1]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.opset_import[0].version = 11
    encoder = take_in(place(model), tmp_path / "ours")
    np.testing.assert_allclose(encoder.encode(TEXTS), expected(), atol=1e-5)


def test_what_was_taken_in_is_opened_by_the_house_without_torch_or_onnx(place, tmp_path):
    encoder = take_in(
        place(network()), tmp_path / "ours", card=ModelCard(prefix="a ", query_prefix="the ", max_tokens=5)
    )
    assert np.array_equal(open_encoder(str(tmp_path / "ours")).encode(TEXTS), encoder.encode(TEXTS))
    assert encoder.card.prefix == "a "
    same = encoder.encode(["mug red by music 42", "mug red film film film"])
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)  # the prefix, two words and two marks are read
    code = (
        "import sys; sys.modules['torch'] = sys.modules['onnx'] = None;"
        "from inkling.encoders import open_encoder;"
        f"print(open_encoder({str(tmp_path / 'ours')!r}).encode(['red mug']).shape)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (run.stdout.strip(), run.stderr.strip()) == (f"(1, {DIM})", "")


def test_files_of_sentence_transformers_beside_it_tell_how_to_pool(place, tmp_path):
    home = place(network())
    (home / "1_Pooling").mkdir()
    (home / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    encoder = take_in(home, tmp_path / "ours")
    assert encoder.card.pooling == "cls"
    np.testing.assert_allclose(encoder.encode(TEXTS), expected("cls"), atol=1e-5)


def test_what_cannot_be_read_says_so(place, tmp_path):
    with pytest.raises(BundleError, match="There is no ONNX network at"):
        take_in(tmp_path / "nothing", tmp_path / "ours")
    home = place(network())
    with pytest.raises(ConfigError, match=r"There is no output 'pooled'\. Outputs: hidden_1"):
        take_in(home, tmp_path / "ours", output="pooled")
    with pytest.raises(ConfigError, match="'width' is neither an input nor a role"):
        take_in(home, tmp_path / "ours", roles={"input_ids": "width"})
    (home / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match=r"no tokenizer that can be read at .*Give the model's tokenizer\.json"):
        take_in(home, tmp_path / "ours")
    fixed = place(network(sizes=(1, 4)))
    with pytest.raises(BundleError, match=r"cannot read 2 texts of 5 tokens.*dynamic axes"):
        take_in(fixed, tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_an_output_that_is_no_vector_is_refused(place, tmp_path):
    model = network()
    model.graph.node.append(helper.make_node("ReduceMax", ["hidden_1"], ["most"], keepdims=0))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("most", onnx.TensorProto.FLOAT, []))
    with pytest.raises(ConfigError, match=r"No output of model\.onnx is a vector for each text or token"):
        take_in(place(model), tmp_path / "ours")


def test_roles_that_are_not_clear_are_asked_for():
    assert roles_of(["a", "b"], {}) == {"a": "ids", "b": "mask"}
    assert roles_of(["input_ids", "odd"], {"odd": "mask"}) == {"input_ids": "ids", "odd": "mask"}
    for names, given in ((["input_ids", "odd"], {}), (["input_ids", "ids"], {}), (["attention_mask"], {})):
        with pytest.raises(ConfigError, match="It is not clear what each of the inputs is for"):
            roles_of(names, given)


def test_what_answers_otherwise_than_before_is_not_kept(place, tmp_path, monkeypatch):
    from inkling.compression import _export_take

    monkeypatch.setattr(_export_take, "_pooled", lambda hidden, pooling: -hidden[0])
    with pytest.raises(InklingError, match=r"taken in, but answers .* off what it said before"):
        take_in(place(network()), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


def test_a_missing_extra_is_named(place, tmp_path, monkeypatch):
    home = place(network())
    monkeypatch.delitem(sys.modules, "inkling.compression._export_rewrite", raising=False)
    import inkling.compression

    monkeypatch.delattr(inkling.compression, "_export_rewrite", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match="Taking in an ONNX model needs onnx"):
        take_in(home, tmp_path / "ours")
