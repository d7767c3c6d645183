"""Norms of embeddings."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from framework.core.view import MissingNeed, Needs
from framework.testing import toys
from strategies.scorers.feature_norm import FeatureNorm


def test_the_length_of_each_embedding() -> None:
    view = toys.view(Needs(tokens=True), ticks=1)
    embeddings = torch.zeros(12, 16, dtype=torch.bfloat16)
    embeddings[1, :2] = torch.tensor([3.0, -4.0])
    embeddings[2, 5] = -2.0
    view = replace(view, shown_tokens=replace(view.tokens, embeddings=embeddings))
    values = FeatureNorm().score(view).values
    assert values.dtype == torch.float32
    assert values.tolist() == [0.0, 5.0, 2.0] + [0.0] * 9


def test_it_compares_across_groups_and_needs_tokens() -> None:
    assert FeatureNorm().comparable and FeatureNorm().needs == Needs(tokens=True)
    with pytest.raises(MissingNeed, match="tokens=True"):
        FeatureNorm().score(toys.view(Needs(pixels=True)))
