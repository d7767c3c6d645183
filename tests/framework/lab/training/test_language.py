"""The language phases' loss: what it is made of, and the thirds where the length of the film is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from framework.lab.model import SLIDING_WINDOW, build_model
from framework.lab.training.batches import LanguageBatch, LanguageSettings, language_batch
from framework.lab.training.clips import ClipSettings
from framework.lab.training.clock import ClockSettings
from framework.lab.training.forward import oracle_tokens, read
from framework.lab.training.language import LabLanguage, LossSettings
from framework.lab.training.questions import Asker, QuestionSettings
from framework.training.schedule import Schedule

SCHEDULE = Schedule(steps=1, rate=1e-3, warmup=1, floor=1.0, weight_decay=0.0, clip=1.0)
LOSSES = LossSettings(
    word_weight=3.0, word_layer=4, letter_weight=0.5, match_weight=0.25, match_layer=5, end_weight=0.2, oracle_noise=0.0
)
MODEL, TOKENIZER = build_model(seed=0)


def learned(losses: LossSettings, batch: LanguageBatch) -> tuple[float, Mapping[str, float]]:
    """(the loss of a batch, what was logged)."""
    module, seen = LabLanguage(MODEL, TOKENIZER, SCHEDULE, losses), {}
    module.log_dict = lambda values, **rest: seen.update(values)  # type: ignore[method-assign, assignment, misc]
    module.log = lambda *arguments, **rest: None  # type: ignore[method-assign, assignment, misc]
    total = module.training_step(batch, 0)
    return total.item(), {name.removeprefix("train/"): float(value) for name, value in seen.items()}


CLOCK = ClockSettings(3, (5, 9), 900, 0.5, 0.5)


def drawn(told: bool, clock: ClockSettings | None = None) -> LanguageBatch:
    asker = Asker(QuestionSettings({"attribute": 1.0}, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0), TOKENIZER.get_vocab())
    clips = ClipSettings((0.3, 0.4), (2, 8), 0.5, 1.0, 0.3, 0.0, 1.0, (0.01, 0.1), 0.0)
    asked: dict[str, Any] = {"far_share": 1.0, "farthest": 900, "subset_share": 0.0, "subset": (8, 9), "most_clips": 3}
    settings = LanguageSettings(True, 3, 2, [(0, 16)], length_told=told, clock=clock, **asked)
    return language_batch(np.random.default_rng(0), 0, settings, clips, asker, SLIDING_WINDOW)


def test_the_loss_is_the_weighted_sum_of_its_parts() -> None:
    total, parts = learned(replace(LOSSES, third_weight=2.0), drawn(told=True, clock=CLOCK))
    weights = {"answer": 1.0, "word": 3.0, "letter": 0.5, "match": 0.25, "end": 0.2, "third": 2.0, "clock": 2.0}
    assert parts.keys() == weights.keys() and all(value > 0 for value in parts.values())
    assert total == pytest.approx(sum(weights[name] * value for name, value in parts.items()), rel=1e-5)


@pytest.mark.parametrize("layer", [2, 3])
def test_thirds_are_read_where_the_settings_say(layer: int) -> None:
    batch = drawn(told=True, clock=CLOCK)
    _, parts = learned(replace(LOSSES, third_weight=1.0, third_layer=layer), batch)
    module = LabLanguage(MODEL, TOKENIZER, SCHEDULE, LOSSES)
    zones = TOKENIZER.convert_tokens_to_ids(["start", "middle", "end"])
    with torch.no_grad():
        rows, words = MODEL.get_input_embeddings().weight, module.words
        assert batch.clock is not None
        for name, packed, tokens in (
            ("third", batch.packed, module.visual_tokens(batch)),
            ("clock", batch.clock.packed, oracle_tokens(rows[words], batch.clock.objects)),
        ):
            _, hidden = read(MODEL, packed, tokens)
            visual = MODEL.model.language_model.norm(hidden[layer + 1][:, 9 : 9 + tokens.shape[1]])
            expected = cross_entropy((visual @ rows[zones].T).flatten(0, 1), packed.thirds.flatten())
            assert parts[name] == pytest.approx(expected.item(), rel=1e-5)


def test_films_beside_the_questions_add_noise_of_their_own_and_change_no_answer() -> None:
    plain, beside = drawn(told=True), drawn(told=True, clock=CLOCK)
    assert plain.questions == beside.questions and torch.equal(plain.packed.ids, beside.packed.ids)
    noisy = replace(LOSSES, third_weight=1.0, oracle_noise=0.1)
    (_, one), (_, two) = learned(noisy, plain), learned(noisy, beside)
    assert {name: value for name, value in two.items() if name != "clock"} == one
    assert learned(replace(noisy, oracle_noise=0.0), beside)[1]["clock"] != two["clock"]


def test_without_a_weight_or_a_length_there_are_no_thirds() -> None:
    assert not {"third", "clock"} & learned(LOSSES, drawn(told=True, clock=CLOCK))[1].keys()
    total, parts = learned(replace(LOSSES, third_weight=5.0), drawn(told=False))
    assert parts["third"] == 0 and total == pytest.approx(learned(LOSSES, drawn(told=False))[0])
