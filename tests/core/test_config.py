"""Settings: an unknown key shows the way, a wrong value says where."""

from __future__ import annotations

from typing import Annotated

import msgspec
import pytest

from inkling.core.config import Config, override, parse, read_toml, to_dict
from inkling.core.errors import ConfigError


class Inner(Config, frozen=True, kw_only=True):
    depth: int = 2
    names: tuple[str, ...] = ()


class Outer(Config, frozen=True, kw_only=True):
    rate: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    word: str = "a"
    on: bool = False
    least: float | None = None
    inner: Inner = Inner()
    members: dict[str, Inner] = {}
    free: dict[str, dict[str, int]] = {}


def test_settings_are_what_was_written_and_the_rest_is_default():
    got = parse(Outer, {"rate": 1, "inner": {"depth": 3}, "members": {"x": {"names": ["p", "q"]}}})
    assert got == Outer(rate=1.0, inner=Inner(depth=3), members={"x": Inner(names=("p", "q"))})
    assert parse(Outer, to_dict(got)) == got


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"rat": 1}, r"shop: unknown key 'rat'\. Did you mean 'rate'\? Allowed: free, inner, least"),
        ({"inner": {"dept": 1}}, r"shop\.inner: unknown key 'dept'\. Did you mean 'depth'\?"),
        ({"members": {"x": {"dpeth": 1}}}, r"shop\.members\.x: unknown key 'dpeth'\. Did you mean 'depth'\?"),
        ({"rate": "fast"}, r"shop: .*float.*rate"),
        ({"rate": -1}, r"shop: .*> 0.*rate"),
        ({"inner": {"depth": 1.5}}, r"shop: .*int.*inner\.depth"),
        ({"inner": 3}, r"shop: .*object.*inner"),
    ],
)
def test_what_does_not_fit_is_named(settings, told):
    with pytest.raises(ConfigError, match=told):
        parse(Outer, settings, where="shop")


def test_dotted_keys_are_replaced_and_words_are_read():
    changes = {
        "inner.names": '["p","q"]',
        "on": "true",
        "rate": "2",
        "word": "plain words",
        "least": "0.25",
        "members.new.depth": "7",
        "free.any.thing": 1,
    }
    got = override(Outer(inner=Inner(depth=9)), changes)
    assert got.inner == Inner(depth=9, names=("p", "q"))
    assert (got.on, got.rate, got.word, got.least) == (True, 2.0, "plain words", 0.25)
    assert got.members == {"new": Inner(depth=7)}
    assert got.free == {"any": {"thing": 1}}
    assert override(got, {"least": "null"}).least is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"inner.dept": "1"}, r"unknown key 'dept'\. Did you mean 'depth'\?"),
        ({"word.more": "1"}, "'word.more' leads into 'word', which has no settings of its own"),
        ({"inner.depth.more": "1"}, "'inner.depth.more' leads into 'depth'"),
        ({"inner.depth": "deep"}, r"int.*inner\.depth"),
    ],
)
def test_a_change_that_does_not_fit_is_named(changes, told):
    with pytest.raises(ConfigError, match=told):
        override(Outer(), changes)


def test_toml_is_read_and_what_is_no_toml_is_named(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text("rate = 0.75\n[inner]\ndepth = 4\n")
    assert read_toml(Outer, path) == Outer(rate=0.75, inner=Inner(depth=4))
    path.write_text("rate = \n")
    with pytest.raises(ConfigError, match=r"shop\.toml is not valid TOML"):
        read_toml(Outer, path)
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"shop\.toml is not valid TOML"):
        read_toml(Outer, path)
