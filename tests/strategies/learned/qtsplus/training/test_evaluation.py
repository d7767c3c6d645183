"""Accuracy against the number of tokens kept: what each way keeps, by hand, and what the language model says of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.core.prompts import PromptTemplate
from framework.core.view import Needs
from framework.lab.features import NeedleFeatures, needle_tokens
from framework.training.schedule import Schedule
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.learned.qtsplus.training.batches import Batch, collate
from strategies.learned.qtsplus.training.evaluation import (
    Questions,
    by_selector,
    by_split,
    oracle,
    random,
    table,
    uniform,
)
from strategies.learned.qtsplus.training.from_needles import as_tokens, needle_sample
from strategies.learned.qtsplus.training.losses import CostSettings
from strategies.learned.qtsplus.training.module import SelectorModule, SelectorTraining


@pytest.fixture
def asked(features: NeedleFeatures) -> Questions:
    return [(features.kinds[i]["split"], question) for i in range(3) for question in features[i].questions]


@pytest.fixture
def whole(features: NeedleFeatures, backbone: Qwen25VL, prompt: PromptTemplate) -> Batch:
    tokens = [as_tokens(features[i].features, features.ticks) for i in range(3)]
    return collate([needle_sample(backbone, prompt, t, q) for i, t in enumerate(tokens) for q in features[i].questions])


def test_uniform_by_hand(whole: Batch, asked: Questions) -> None:
    chosen = uniform(whole, asked, 10)  # of 32 ticks the middles of thirds: 5.33, 16, 26.67; the last one in half
    assert all(row == [*range(20, 24), *range(64, 68), *range(104, 106)] for row in chosen.index.tolist())
    assert torch.equal(chosen.tokens[0], whole.tokens[0, chosen.index[0]]) and chosen.count.tolist() == [10] * 6


def test_the_oracle_shows_the_needles_first(whole: Batch, asked: Questions) -> None:
    for count in (1, 4, 20):
        chosen = oracle(whole, asked, count)
        for row, (_, question) in zip(chosen.index, asked, strict=True):
            needle = needle_tokens(question.evidence[0])
            assert bool((row.diff() > 0).all()) and len(row) == count
            assert int(torch.isin(torch.from_numpy(needle), row).sum()) == min(count, 4)
        assert torch.equal(chosen.index, oracle(whole, asked, count).index)


def test_random_is_random_and_repeats(whole: Batch, asked: Questions) -> None:
    chosen = random(whole, asked, 30)
    assert torch.equal(chosen.index, random(whole, asked, 30).index)
    assert len({tuple(row) for row in chosen.index.tolist()}) == 6
    assert all(len(set(row)) == 30 and row == sorted(row) for row in chosen.index.tolist())


def test_everything_kept_is_the_backbones_own_answer(
    features: NeedleFeatures, backbone: Qwen25VL, prompt: PromptTemplate, asked: Questions
) -> None:
    rows = table(backbone, prompt, features, uniform, [12, 128], "kept")
    assert [row["n"] for row in rows] == [12] * 6 + [128] * 6
    assert [row["question"] for row in rows] == [*range(6), *range(6)]
    backbone.probe_positions = "original"
    for number, (split, question) in enumerate(asked):
        tokens = as_tokens(features[number // 2].features, features.ticks)
        posed = prompt.question("", question.bare, question.options)
        (probe,) = backbone.probe(tokens, [posed], Needs(logits=True))
        shares = probe.logits[0, probe.option_ids].double().softmax(0)
        row, right = rows[6 + number], question.right
        assert right is not None and row["split"] == split
        assert row["share"] == pytest.approx(float(shares[right]), abs=1e-4)
        assert row["right"] == (int(shares.argmax()) == right)


def test_a_selector_keeps_what_it_is_told(whole: Batch, asked: Questions, backbone: Qwen25VL) -> None:
    torch.manual_seed(0)
    selector = Selector(Shape(128, 4, 2, 1, 0, False, False), 0.05, 0.5, True, 0.0, 64)
    training = SelectorTraining(
        1, "straight_through", "path", 20.0, 1.0, 8, "drawn", None, "kept", 1.0, 1.0, None, 4, False
    )
    module = SelectorModule(
        selector, backbone, training, CostSettings(0, 0, 0, True), Schedule(1, 1e-3, 1, 1.0, 0.0, 1.0), 0
    )
    for count in (1, 13, 128):
        chosen = by_selector(module)(whole, asked, count)
        assert chosen.count.tolist() == [count] * 6
        best = [np.sort(row.argsort(descending=True, stable=True)[:count]) for row in chosen.log_scores]
        assert all(index.tolist() == row.tolist() for index, row in zip(chosen.index, best, strict=True))


def test_by_split_by_hand() -> None:
    rows: list[dict[str, object]] = [
        {"split": "when", "n": 10, "right": True},
        {"split": "when", "n": 13, "right": False},
        {"split": "order", "n": 4, "right": True},
    ]
    assert by_split(rows) == {"when at 12": 0.5, "order at 4": 1.0}
