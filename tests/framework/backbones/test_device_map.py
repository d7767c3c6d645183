"""Layers, tower, embedding and head on several devices: the same as the undivided model; maps that do not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch import Tensor

from framework.backbones import device_map
from framework.backbones.base import DecoderBackbone
from framework.core.types import Answer, Tokens
from framework.core.view import Needs, Probe
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import QUESTIONS, Family, selected

BY_NAME = {family.name: family for family in FAMILIES}
each = pytest.mark.parametrize(
    "family", [BY_NAME[name] for name in ("qwen2_5_vl", "qwen3_vl", "internvl qwen3")], ids=str
)
LAYERS = "model.language_model.layers"


def spread(family: Family) -> dict[str, str]:
    """A device for every part: every second layer and block, embedding, norm of the tower and head on disk."""
    found = {"lm_head": "disk"}
    for name, part in family.adapter.model.model.named_children():
        for inner, child in part.named_children():
            layers = list(child.children()) if type(child).__name__ == "ModuleList" else []
            if name == "language_model" and layers:
                found |= {f"model.{name}.{inner}.{i}": "disk" if i % 2 else "cpu" for i in range(len(layers))}
            else:
                found[f"model.{name}.{inner}"] = "cpu" if inner == "norm" else "disk"
        found |= {f"model.{name}.{own}": "cpu" for own, _ in part.named_parameters(recurse=False)}
    return found


def read(backbone: DecoderBackbone, tokens: Tokens, clock: Tensor) -> tuple[list[Probe], Answer]:
    """What the language model gives: two questions in one pass, and the answer from a few tokens."""
    needs = Needs(attention=(0, 1, 2, 3), logits=True)
    probes = backbone.probe(tokens, [replace(QUESTIONS[2], max_new_tokens=3), QUESTIONS[0]], needs)
    return probes, backbone.answer(selected(tokens[torch.tensor([1, 4, 6])], clock), QUESTIONS[1])


def same(divided: DecoderBackbone, family: Family) -> None:
    """Everything is as without a map, and lies where the language model begins."""
    film = family.film(3)
    layout = divided.layout(torch.arange(3), family.height, family.width)
    tokens, expected = (backbone.encode(film, layout) for backbone in (divided, family.adapter))
    torch.testing.assert_close(tokens.embeddings, expected.embeddings, atol=2e-5, rtol=1e-5)
    for name in expected.extra:
        torch.testing.assert_close(tokens.extra[name], expected.extra[name], atol=2e-5, rtol=1e-5)
    ours, whole = (read(backbone, expected, film.seconds) for backbone in (divided, family.adapter))
    for one, other in zip(ours[0], whole[0], strict=True):
        assert one.response == other.response and one.logits.device == divided.home == torch.device("cpu")
        torch.testing.assert_close(one.logits, other.logits, atol=2e-5, rtol=1e-5)
        for layer in range(4):
            torch.testing.assert_close(one.attention[layer], other.attention[layer], atol=2e-5, rtol=1e-5)
    assert ours[1].choice == whole[1].choice
    torch.testing.assert_close(ours[1].probabilities, whole[1].probabilities, atol=1e-5, rtol=1e-5)


@each
@pytest.mark.filterwarnings("ignore:The following device_map keys:UserWarning")  # a parameter is no module
def test_half_of_everything_on_disk(family: Family, caplog: pytest.LogCaptureFixture) -> None:
    divided = family.load(family.checkpoint, device="auto", device_map=spread(family), **family.changes)
    assert divided.model.get_input_embeddings().weight.is_meta and divided.model.lm_head.weight.is_meta
    assert any(weight.is_meta for weight in divided.tower.parameters())
    (told,) = [one.getMessage() for one in caplog.records if one.name == device_map.__name__]
    weights = [*divided.model.parameters()]
    share = sum(weight.numel() for weight in weights if weight.is_meta) / sum(weight.numel() for weight in weights)
    assert f"device_map: {100 * share:.0f} % of the weights, 0.00 GiB, lie on disk" in told
    same(divided, family)


@each
def test_hooks_set_by_hand(family: Family) -> None:
    """The last half of the layers fetch their weights when they run, as when a second device computes them."""
    divided = family.load(family.checkpoint, device="auto", **family.changes)
    parts = [*divided.decoder.layers[2:], divided.model.get_input_embeddings(), divided.model.lm_head, divided.tower]
    for part in parts:
        held = {name: value.clone() for name, value in part.state_dict().items()}
        hook = AlignDevicesHook(
            torch.device("cpu"), offload=True, io_same_device=True, weights_map=held, place_submodules=True
        )
        add_hook_to_module(part, hook)
    assert divided.decoder.layers[3].self_attn.q_proj.weight.is_meta and divided.tower.dtype == torch.float32
    same(divided, family)


def test_the_longest_part_that_holds_a_weight_says_where_it_is() -> None:
    map_ = {"": 0, "model.layers.1": "disk", "model.layers": "cpu"}
    names = ("model.layers.1.mlp.weight", "model.layers.10.mlp.weight", "model.norm.weight")
    assert [device_map.device_of(name, map_) for name in names] == ["disk", "cpu", 0]
    assert device_map.device_of("lm_head.weight", {"model": "cpu"}) is None


WHOLE = {"model": "cpu", "lm_head": "cpu"}


@pytest.mark.parametrize(
    ("map_", "said"),
    [
        (
            "everywhere",
            "got 'everywhere', expected one of auto, balanced, balanced_low_0, sequential, a device, or a map",
        ),
        (7, r"got 7, but there are \d CUDA devices here: expected one of auto"),
        (
            {**WHOLE, "lm_head": "cuda:9"},
            "got 'cuda:9', but there are .* expected cpu, disk, 0, cuda:1, ... for 'lm_head'",
        ),
        ({**WHOLE, "lm_head": "meta"}, "got 'meta', but"),
        ({**WHOLE, "lm_head": None}, "got None, expected cpu, disk, 0, cuda:1, ... for 'lm_head'"),
        (
            {**WHOLE, "model.vision": "cpu"},
            "the model has no part 'model.vision', expected parts such as model.vision_tower,",
        ),
        (
            {"model": "cpu"},
            r"no part holds 1 weights, e\.g\. lm_head\.weight: name a part that does, or '' for the rest",
        ),
        (
            {**WHOLE, f"{LAYERS}.1.mlp": "disk"},
            f"{LAYERS}.1 must be on one device, got cpu and disk: give {LAYERS}.1 one",
        ),
    ],
)
def test_a_map_that_does_not_fit_is_refused_before_weights_are_read(
    map_: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    family = BY_NAME["internvl qwen3"]
    checkpoint = family.checkpoint
    monkeypatch.setattr("framework.backbones.loading.load_model", None)
    with pytest.raises(ValueError, match=rf"^backbone\.adapter\.device_map: {said}"):
        family.load(checkpoint, device="auto", device_map=map_, **family.changes)


def test_a_row_that_nothing_fetches_must_be_in_memory() -> None:
    family = BY_NAME["llava_onevision"]
    config = family.adapter.model.config
    name = "model.image_newline"
    device_map.check({"": "disk", name: "cpu"}, config, (name,))
    with pytest.raises(ValueError, match=r"the row image_newline must be in memory; it lies on disk$"):
        device_map.check({"": "disk", "model.vision_tower": "cpu"}, config, (name,))
