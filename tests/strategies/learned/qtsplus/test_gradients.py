"""Every parameter learns from the answer alone; what the published layout has besides is exactly what is known dead."""

from __future__ import annotations

import re

import pytest
import torch
from torch.nn.functional import cross_entropy

DEAD = re.compile(r"\.k_proj\.bias$|^scoring_layers\.LAST\.(v_proj|o_proj|ffn_norm|ffn)\.")


def learned(chooser, batch, **gate) -> dict[str, bool]:
    """Parameter -> whether the cross-entropy of an answer read from the kept tokens moves it."""
    given = batch(3, 40, 5)
    chosen = chooser(*given, most=None, gate="straight_through", tau=0.5, **gate)
    noise = torch.Generator().manual_seed(4)
    read, head = torch.randn(16, 16, generator=noise), torch.randn(16, 8, generator=noise)
    pooled = ((chosen.tokens @ read).tanh() * chosen.weight[..., None]).sum(1)
    cross_entropy(pooled @ head, torch.tensor([1, 5, 2])).backward()
    sizes = {n: 0.0 if p.grad is None else float(p.grad.norm()) for n, p in chooser.named_parameters()}
    typical = sorted(sizes.values())[len(sizes) // 2]
    return {name: size > 1e-5 * typical for name, size in sizes.items()}


@pytest.mark.parametrize("scoring", [1, 2])
@pytest.mark.parametrize("scaled", [True, False])
def test_ours_has_no_dead_parameter(selector, batch, scoring: int, scaled: bool) -> None:
    chooser = selector(scoring=scoring, time=True, scaled=scaled)
    moved = learned(chooser, batch)
    assert all(moved.values()), [name for name, alive in moved.items() if not alive]
    assert not any(name.endswith("k_proj.bias") for name in moved)


def test_weights_shown_to_attention_learn_too(selector, batch) -> None:
    moved = learned(selector(time=True), batch, multiply=False, extra=6)
    assert all(moved.values()), [name for name, alive in moved.items() if not alive]


@pytest.mark.parametrize("scoring", [1, 2])
def test_the_published_layout_has_just_the_known_dead_ones(selector, batch, scoring: int) -> None:
    moved = learned(selector(scoring=scoring, official=True), batch)
    dead = re.compile(DEAD.pattern.replace("LAST", str(scoring - 1)))
    assert {name for name, alive in moved.items() if not alive} == {name for name in moved if dead.search(name)}
