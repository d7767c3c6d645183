"""Where a selector starts: copies of the language model's layers, and re-encoding that changes nothing yet."""

from __future__ import annotations

import pytest
import torch

from framework.backbones.qwen2_5_vl import Qwen25VL
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.learned.qtsplus.training.initialisation import start_from


def started(backbone: Qwen25VL, quiet: bool, layer: int | None = 3, blocks: int = 2, width: int = 128) -> Selector:
    torch.manual_seed(0)
    selector = Selector(Shape(width, 4, 2, 2, blocks, True, False), 0.05, 0.5, True, 0.0, 64)
    start_from(selector, backbone.decoder.layers, layer, quiet)
    return selector


def test_attention_is_copied_from_the_layers(backbone: Qwen25VL) -> None:
    selector, layers = started(backbone, quiet=False, blocks=7), backbone.decoder.layers
    pairs = [(block, layers[3]) for block in selector.scoring_layers]
    pairs += [(block, layers[number % 7]) for number, block in enumerate(selector.reencode_layers)]
    for block, layer in pairs:
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            if hasattr(block, name):
                assert torch.equal(getattr(block, name).weight, getattr(layer.self_attn, name).weight)
        assert torch.equal(block.q_proj.bias, layer.self_attn.q_proj.bias)
        assert torch.equal(block.q_norm.weight, layer.input_layernorm.weight)
        assert torch.equal(block.kv_norm.weight, layer.input_layernorm.weight)
    first, own = selector.reencode_layers[0], layers[0].self_attn.q_proj.weight
    assert torch.equal(first.ffn_norm.weight, layers[0].post_attention_layernorm.weight)
    before = own.clone()
    with torch.no_grad():
        first.q_proj.weight.zero_()
    assert torch.equal(own, before)  # a copy, not the same tensor


def test_scoring_starts_at_random_where_no_layer_is_named(backbone: Qwen25VL) -> None:
    block = started(backbone, quiet=True, layer=None).scoring_layers[-1]
    layers = [layer.self_attn.q_proj.weight for layer in backbone.decoder.layers]
    assert not any(torch.equal(block.q_proj.weight, weight) for weight in layers)


def test_scoring_may_start_at_random(backbone: Qwen25VL) -> None:
    selector, layers = started(backbone, quiet=False, layer=None), backbone.decoder.layers
    torch.manual_seed(0)
    untouched = Selector(selector.shape, 0.05, 0.5, True, 0.0, 64).scoring_layers.state_dict()
    assert all(torch.equal(weight, untouched[name]) for name, weight in selector.scoring_layers.state_dict().items())
    assert torch.equal(selector.reencode_layers[0].q_proj.weight, layers[0].self_attn.q_proj.weight)


@pytest.mark.parametrize("quiet", [True, False])
def test_quiet_reencoding_changes_nothing_yet(backbone: Qwen25VL, quiet: bool) -> None:
    tokens, seconds = torch.randn(2, 9, 128), torch.arange(18.0).double().view(2, 9)
    mask = torch.ones(2, 9, dtype=torch.bool)
    with torch.no_grad():
        again = started(backbone, quiet).reencode(tokens, mask, seconds)
    assert torch.equal(again, tokens) == quiet


def test_the_start_still_learns(backbone: Qwen25VL) -> None:
    """Zeroed layers are outputs, so that what lies before them learns from the second step on."""
    selector = started(backbone, quiet=True)
    tokens, mask = torch.randn(1, 9, 128), torch.ones(1, 9, dtype=torch.bool)
    again = selector.reencode(tokens, mask, torch.zeros(1, 9).double())
    (again * torch.randn_like(again)).sum().backward()
    block = selector.reencode_layers[0]
    for weight in (block.o_proj.weight, block.ffn.net[2].weight, block.ffn.net[2].bias):
        assert weight.grad is not None and bool(weight.grad.abs().sum() > 0)


def test_mistakes(backbone: Qwen25VL) -> None:
    for layer in (-1, 7):
        with pytest.raises(ValueError, match=rf"scoring_layer must lie within 0\.\.6, got {layer}"):
            started(backbone, True, layer)
    with pytest.raises(ValueError, match=r"q_proj is \(64, 64\), the language model's \(128, 128\)"):
        started(backbone, True, width=64)
