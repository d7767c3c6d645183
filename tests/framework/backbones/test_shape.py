"""Sizes counted from a configuration against what loaded models hold: weights, caches, states, features."""

from __future__ import annotations

import pytest
import torch
from transformers import AutoConfig, DynamicCache

from framework.backbones.shape import shape_of
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import Family

BY_NAME = {family.name: family for family in FAMILIES}
NAMES = ("qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe", "qwen3_5", "internvl qwen3", "llava_onevision")


@pytest.mark.parametrize("family", [BY_NAME[name] for name in NAMES], ids=lambda family: family.name)
@torch.no_grad()
def test_sizes_are_those_of_the_loaded_model(family: Family) -> None:
    backbone = family.adapter
    shape = shape_of(AutoConfig.from_pretrained(family.checkpoint))
    assert (shape.parameters, 4 * shape.parameters) == backbone.size
    assert shape.tower.parameters == sum(weight.numel() for weight in backbone.tower.parameters())
    assert shape.attention == backbone.attention_layers
    tokens = family.encoded(family.film(3))
    deep = tokens.extra["deepstack"].nbytes if "deepstack" in tokens.extra else 0
    assert shape.levels == (tokens.extra["deepstack"].shape[1] if "deepstack" in tokens.extra else 0)
    assert len(tokens) * shape.token_bytes(4) == tokens.embeddings.nbytes + deep
    cells, patches = family.cells(), family.height * family.width // shape.tower.patch**2
    if shape.tower.side is None:
        assert cells * shape.tower.patches_per_token == patches
    else:
        assert shape.tower.side == family.height and cells * shape.tower.patches_per_token == backbone.patches
    assert shape.tower.frames == backbone.frames_per_tick
    cache = DynamicCache(config=backbone.decoder.config)
    prefix = backbone.prefix(tokens, backbone.before(tokens, "compact"), "compact")
    backbone._run(
        prefix.embeddings[None],
        prefix.positions[:, None],
        cache,
        **backbone.arguments(prefix, len(prefix.embeddings)),
    )
    whole = [layer for layer in shape.attention if not cache.layers[layer].is_sliding]  # others keep a window
    for layer in whole:
        held = cache.layers[layer].keys.nbytes + cache.layers[layer].values.nbytes
        assert len(prefix.embeddings) * shape.cache_bytes(4) == held * len(shape.attention)
    assert whole
    states = [
        state
        for layer in cache.layers
        for held in vars(layer).values()
        if isinstance(held, dict)
        for state in held.values()
        if isinstance(state, torch.Tensor)
    ]
    assert shape.states == sum(state.numel() for state in states)
