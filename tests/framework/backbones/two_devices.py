"""A model on two devices at once: the same as on one, and no operation meets tensors of both.

Torch has one accelerator in a process, for good. So these tests run in a process of their own, which
`test_two_devices.py` starts. To run them alone, name this file to pytest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from omegaconf import DictConfig

from framework.backbones.base import DecoderBackbone
from framework.config.parts import prompt_template
from framework.core.types import Tokens
from framework.core.view import Needs
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.setting import VIDEO, pipeline
from tests.fixtures.second_device import NAME, Far, bring, move, two_devices
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import QUESTIONS, Family, selected

BY_NAME = {family.name: family for family in FAMILIES}
each = pytest.mark.parametrize(
    "family", [BY_NAME[name] for name in ("qwen2_5_vl", "qwen3_vl", "qwen3_5", "internvl qwen3")], ids=str
)
CPU = torch.device("cpu")


def divided(family: Family, begins: str) -> DecoderBackbone:
    """The tower and the last layers on one device, where the language model begins on the other."""
    backbone = family.load(family.checkpoint, attention="eager", **family.changes)
    inner = backbone.model.model
    projector = [inner.multi_modal_projector] if hasattr(inner, "multi_modal_projector") else []
    first = [
        backbone.model.get_input_embeddings(),
        backbone.decoder.rotary_emb,
        *backbone.decoder.layers[:2],
        *projector,
    ]
    last = [*backbone.decoder.layers[2:], backbone.decoder.norm, backbone.model.lm_head, backbone.tower]
    far, near = (last, first) if begins == "cpu" else (first, last)
    for part in far:
        move(part)
    for part in near:
        bring(part, CPU)
    return backbone


def on_cpu(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.near if isinstance(tensor, Far) else tensor


@each
@pytest.mark.parametrize("begins", ["cpu", NAME])
def test_two_devices_give_what_one_gives(family: Family, begins: str) -> None:
    film, asked = family.film(3), [replace(QUESTIONS[2], max_new_tokens=3), QUESTIONS[0]]
    whole = family.load(family.checkpoint, attention="eager", **family.changes)
    layout = whole.layout(torch.arange(3), family.height, family.width)
    tokens, needs = whole.encode(film, layout), Needs(attention=whole.attention_layers, logits=True)
    probes = whole.probe(tokens, asked, needs)

    def answered(backbone: DecoderBackbone, some: Tokens) -> list[float]:
        kept = some[torch.tensor([1, 4, 6])]
        return list(backbone.answer(selected(kept, film.seconds), QUESTIONS[1]).probabilities)

    with two_devices():
        backbone = divided(family, begins)
        ours = backbone.encode(film, layout)
        assert ours.embeddings.device.type == begins == backbone.home.type
        torch.testing.assert_close(on_cpu(ours.embeddings), tokens.embeddings, atol=2e-5, rtol=1e-5)
        for one, other in zip(backbone.probe(ours, asked, needs), probes, strict=True):
            assert one.logits.device.type == begins and one.response == other.response
            torch.testing.assert_close(on_cpu(one.logits), other.logits, atol=2e-5, rtol=1e-5)
            for layer in needs.attention:
                assert one.attention[layer].device.type == begins
                torch.testing.assert_close(on_cpu(one.attention[layer]), other.attention[layer], atol=2e-5, rtol=1e-5)
        assert answered(backbone, ours) == pytest.approx(answered(whole, tokens), abs=1e-5)


def test_the_second_device_refuses_to_meet_the_first() -> None:
    with two_devices():
        far, near = torch.ones(2, 3, device=NAME), torch.ones(3)
        assert (far * 2).device.type == NAME and (far @ far.T).cpu().tolist() == [[3, 3], [3, 3]]
        with pytest.raises(RuntimeError, match="two devices meet in add"):
            far + near
        assert (far + near.to(NAME)).cpu().sum() == 12 and far[torch.tensor([1])].device.type == NAME


@pytest.mark.parametrize("begins", ["cpu", NAME])
def test_a_whole_run_on_two_devices(begins: str, composed: Callable[..., DictConfig]) -> None:
    """Scores of two layers, parked candidates, the refiner and the final pass: the same tokens are kept."""
    family = BY_NAME["internvl qwen3"]
    words = ["backbone=internvl3_5_1b", "preset=adapttoken", "scorer.layers=[1,3]", "budget=20"]
    cfg = composed(*words, "backbone.group_ticks=4")
    asked = questions(2, 2, prompt_template(cfg))
    reader = NoiseReader(12, 56, 56)
    whole = family.load(family.checkpoint, attention="eager", **family.changes)
    expected = pipeline(cfg, reader, lambda: whole).answer(VIDEO, asked)
    with two_devices():
        found = pipeline(cfg, reader, lambda: divided(family, begins)).answer(VIDEO, asked)
    for one, other in zip(found, expected, strict=True):
        assert one.selection is not None and other.selection is not None
        assert torch.equal(on_cpu(one.selection.tokens.tick), other.selection.tokens.tick)
        assert torch.equal(on_cpu(one.selection.tokens.column), other.selection.tokens.column)
        assert one.answer.probabilities == pytest.approx(other.answer.probabilities, abs=1e-5)
