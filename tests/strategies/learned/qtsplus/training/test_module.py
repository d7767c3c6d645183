"""One step of training: what is kept, what receives gradient, and what the language model reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.backbones.text import ChatText
from framework.core.prompts import PromptTemplate
from framework.lab.features import NeedleFeatures
from framework.training.schedule import Schedule
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.learned.qtsplus.training.batches import Batch
from strategies.learned.qtsplus.training.from_needles import DrawSettings, draw_batch
from strategies.learned.qtsplus.training.llm_pass import answer_logits
from strategies.learned.qtsplus.training.losses import CostSettings
from strategies.learned.qtsplus.training.module import SelectorModule, SelectorTraining

TRAINING = SelectorTraining(
    stage=1,
    gate="straight_through",
    gate_on="path",
    depth=20.0,
    tau=1.0,
    extra=8,
    rho="drawn",
    most=None,
    positions="kept",
    reencode_rate=0.05,
    llm_rate=0.1,
    lora=None,
    together=3,
    checkpointing=False,
)


def module(backbone: Qwen25VL, layers: int = 1, **changes: Any) -> SelectorModule:
    """A selector with random weights on the lab model; what it logs is kept in `seen`."""
    torch.manual_seed(0)
    selector = Selector(Shape(128, 4, 2, 1, layers, layers > 0, False), 0.05, 0.5, True, 0.0, 64)
    for parameter in selector.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    schedule = Schedule(steps=4, rate=1e-3, warmup=1, floor=1.0, weight_decay=0.0, clip=1.0)
    training = replace(TRAINING, **changes)
    made = SelectorModule(selector, backbone, training, CostSettings(0.0, 0.0, 0.0, True), schedule, seed=0)
    made.seen = {}  # type: ignore[assignment]
    made.log_dict = lambda values, **rest: made.seen.update(values)  # type: ignore[method-assign, operator, union-attr]
    return made


@pytest.mark.parametrize(
    "changes", [{"gate_on": "path"}, {"gate_on": "tokens", "extra": 0}, {"gate_on": "path", "stage": 2}]
)
def test_every_parameter_receives_gradient(backbone: Qwen25VL, batch: Batch, changes: dict[str, Any]) -> None:
    made = module(backbone, rho="learned", **changes)
    made.training_step(replace(batch, rho=None), 0).backward()
    frozen = {
        name for name, p in made.selector.named_parameters() if p.grad is None or not bool(p.grad.abs().sum() > 0)
    }
    assert frozen == set()
    learned = [p for p in backbone.decoder.layers.parameters() if p.grad is not None and bool(p.grad.abs().sum() > 0)]
    assert bool(learned) == (made.training_settings.stage == 2)
    assert all(p.grad is None for p in backbone.tower.parameters())


@pytest.mark.parametrize("gate_on", ["path", "tokens"])
def test_training_keeps_what_inference_keeps(backbone: Qwen25VL, batch: Batch, gate_on: str) -> None:
    made = module(backbone, gate_on=gate_on, extra=8 if gate_on == "path" else 0, most=20)
    training, inference = made.choose(batch), made.choose(batch, "hard")
    expected = [min(20, -(-int(1e6 * 128 * r) // 10**6)) for r in batch.rho.tolist()]  # type: ignore[union-attr]
    assert training.count.tolist() == inference.count.tolist() == pytest.approx(expected, abs=1)
    for row in range(len(batch)):
        one = training.index[row][training.mask[row]]
        assert torch.equal(one, inference.index[row][inference.mask[row]])
        there = training.tokens[row][training.mask[row]], inference.tokens[row][inference.mask[row]]
        assert torch.allclose(*there, atol=1e-5)


def test_reading_is_the_adapters_own_forward_pass(backbone: Qwen25VL, batch: Batch) -> None:
    made = module(backbone, layers=0)
    everything = made.choose(replace(batch, rho=torch.ones(4)), "hard")
    with torch.no_grad():
        logits, labels = answer_logits(backbone, batch, everything, "kept")
        alone = [answer_logits(backbone, batch[[i]], everything[[i]], "kept")[0][0] for i in range(4)]
        for i, one in enumerate(batch.samples):
            ids = torch.cat([one.before, torch.zeros(len(one.tokens), dtype=torch.long), one.after, one.answer[:-1]])
            embeddings = backbone.model.get_input_embeddings()(ids)
            start = len(one.before)
            embeddings[start : start + len(one.tokens)] = one.tokens
            text = torch.arange(one.text_start, one.text_start + len(ids) - start - len(one.tokens)).expand(3, -1)
            places = torch.cat([torch.arange(start).expand(3, -1), one.ids, text], 1)
            hidden = backbone.decoder(inputs_embeds=embeddings[None], position_ids=places[:, None]).last_hidden_state
            expected = backbone.model.lm_head(hidden[0, -len(one.answer) :])
            assert torch.allclose(logits[i], expected, atol=1e-4)
            assert torch.allclose(logits[i], alone[i], atol=1e-5)
            assert torch.equal(labels[i], one.answer)


def test_a_sample_says_when_its_video_ends(
    backbone: Qwen25VL, features: NeedleFeatures, prompt: PromptTemplate
) -> None:
    """Videos of 64 frames: the last of 32 ticks is shown at 31 s."""
    backbone.text_offset = "max_id"
    backbone.chat = ChatText(backbone.tokenizer, "<|video_pad|>", "{seconds:.0f} seconds")
    drawn = draw_batch(np.random.default_rng(0), features, backbone, prompt, DrawSettings(2, 2, (0.05, 0.5)))
    before = backbone.tokenizer("<|im_start|>user\n31 seconds<|vision_start|>")["input_ids"]
    for one in drawn.samples:
        assert one.before.tolist() == before and int(one.ids.min()) == len(before)
        assert one.text_start == len(before) + 2 * 31 + 1


def test_a_token_without_weight_is_not_there(backbone: Qwen25VL, batch: Batch) -> None:
    made = module(backbone)
    chosen = made.choose(batch)
    for positions in ("kept", "sequential"):
        with torch.no_grad():
            kept, _ = answer_logits(backbone, batch, chosen, positions)
            weights = torch.where(chosen.mask, 0.0, -80.0)
            weighted, _ = answer_logits(backbone, batch, chosen, positions, weights)
        assert torch.allclose(kept, weighted, atol=1e-4)


def test_the_credit_adds_up_to_what_seeing_is_worth(backbone: Qwen25VL, batch: Batch) -> None:
    made = module(backbone, layers=0, extra=0)
    one = replace(batch, rho=torch.ones(4))[[0, 2]]
    chosen = made.choose(one, "hard")
    depth, places = 20.0, 60
    total = torch.zeros(2)
    for step in range(places):
        weight = torch.full(chosen.weight.shape, -depth * (step + 0.5) / places, requires_grad=True)
        each, _ = made._read(one, chosen, weight)
        total += torch.autograd.grad(each.sum(), weight)[0].sum(1) * depth / places
    with torch.no_grad():
        seen, absent = (made._read(one, chosen, torch.full(chosen.weight.shape, at))[0] for at in (0.0, -depth))
    assert torch.allclose(total, seen - absent, atol=0.02)
    worth, whole = absent - seen, 0
    for seed in range(8):  # the one place that a step looks at: all of it, or less where slopes cancel
        torch.manual_seed(seed)
        credit = made._credit(one, chosen)
        assert bool((credit.norm(dim=1) <= worth + 1e-4).all()) and bool((credit.sum(1).abs() <= worth + 1e-4).all())
        whole += int(torch.isclose(credit.sum(1), -worth, atol=1e-4).sum())
    assert whole >= 8  # of 16: most of the slopes of one of the two samples agree


def test_mistakes_name_their_key() -> None:
    for changes, key in (
        ({"stage": 3}, "recipe.training.stage"),
        ({"gate": "soft"}, "recipe.training.gate"),
        ({"rho": 0.0}, "recipe.training.rho"),
        ({"most": 0}, "recipe.training.most"),
        ({"tau": 0.0}, "recipe.training.tau"),
        ({"gate_on": "tokens"}, "recipe.training.extra"),
        ({"gate": "gumbel"}, "recipe.training.gate_on"),
    ):
        with pytest.raises(ValueError, match=key):
            replace(TRAINING, **changes)  # type: ignore[arg-type]
