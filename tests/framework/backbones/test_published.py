"""The published sizes that `sieve doctor` knows, against the tables of the tests of each family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from framework.backbones.published import PUBLISHED, configuration
from framework.backbones.shape import shape_of
from framework.config.plugins import CONF
from tests.framework.backbones import test_internvl, test_llava_onevision
from tests.framework.backbones.conformance import test_published_sizes

CHECKPOINTS = {
    path.stem: str(checkpoint)
    for path in sorted(Path(CONF / "backbone").glob("*.yaml"))
    if (checkpoint := OmegaConf.select(OmegaConf.load(path), "adapter.checkpoint"))
}


def test_every_option_is_known() -> None:
    ours = {name: place for name, place in CHECKPOINTS.items() if not place.startswith("asset:")}
    assert set(ours.values()) == set(PUBLISHED)
    assert configuration("me/mine") is None


def text_of(name: str) -> tuple[Any, tuple[int, ...]]:
    config = configuration(CHECKPOINTS[name])
    text = config.get_text_config()
    names = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads")
    inner = text.intermediate_size
    return config, (*(getattr(text, key) for key in names), inner)


@pytest.mark.parametrize("name", test_published_sizes.SIZES)
def test_qwens(name: str) -> None:
    size = test_published_sizes.SIZES[name]
    config, text = text_of(name)
    vision = config.vision_config
    assert text == size.text and config.get_text_config().tie_word_embeddings == size.tied
    assert {key: getattr(vision, key) for key in size.tower} == size.tower
    more = {key: value for key, value in (size.more or {}).items() if key != "num_heads"}
    assert {key: getattr(config.get_text_config(), key) for key in more} == more
    assert vision.num_heads == (size.more or {}).get("num_heads", 16)


@pytest.mark.parametrize("name", test_internvl.SIZES)
def test_interns(name: str) -> None:
    kind, *sizes, vocabulary, head, large, _ = test_internvl.SIZES[name]
    config, text = text_of(name)
    own = config.get_text_config()
    assert (own.model_type, *text) == (kind, *sizes) and (own.vocab_size, own.head_dim) == (vocabulary, head)
    assert config.vision_config.hidden_size == (3200 if large else 1024)


@pytest.mark.parametrize("name", test_llava_onevision.SIZES)
def test_llavas(name: str) -> None:
    *sizes, vocabulary, head, tied, _ = test_llava_onevision.SIZES[name]
    config, text = text_of(name)
    own = config.get_text_config()
    assert text == tuple(sizes) and (own.vocab_size, own.head_dim, own.tie_word_embeddings) == (vocabulary, head, tied)


@pytest.mark.parametrize(
    ("name", "billions", "a_token"),
    [("3b", 3.75, 36_864), ("7b", 8.29, 57_344), ("32b", 33.45, 262_144), ("72b", 73.41, 327_680)],
)
def test_qwen25s_come_to_their_published_parameters(name: str, billions: float, a_token: int) -> None:
    shape = shape_of(configuration(CHECKPOINTS[f"qwen2_5_vl_{name}"]))
    assert shape.parameters / 1e9 == pytest.approx(billions, abs=0.006) and shape.cache_bytes(2) == a_token
