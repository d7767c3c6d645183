"""Films whose tokens learn in which third they are: of all lengths, thirds and loss by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast, Qwen2_5_VLForConditionalGeneration

from framework.lab.model import SLIDING_WINDOW, build_model
from framework.lab.training.batches import vocabulary_of
from framework.lab.training.clock import ClockSettings, clock_batch, third_loss
from framework.lab.training.forward import read
from framework.lab.training.packing import pack
from framework.lab.world import CELLS

SETTINGS = ClockSettings(6, (8, 20), 6000, near_share=0.5, shown_share=0.4)
Lab = tuple[Qwen2_5_VLForConditionalGeneration, PreTrainedTokenizerFast, Mapping[str, int]]


@pytest.fixture
def lab() -> Lab:
    model, tokenizer = build_model(seed=1)
    return model, tokenizer, vocabulary_of(tokenizer)


def told(lab: Lab, ids: torch.Tensor) -> int:
    """The length of a film in ticks: five digits and "seconds" say when its last tick is."""
    words = lab[1].convert_ids_to_tokens(ids[:9].tolist())
    assert words[:2] == ["<|im_start|>", "user"] and words[7:] == ["seconds", "<|vision_start|>"]
    return int("".join(words[2:7])) + 1


def test_films_of_all_lengths_whose_tokens_know_their_third(lab: Lab) -> None:
    lengths, near, shown = [], 0, []
    for seed in range(30):
        batch = clock_batch(np.random.default_rng(seed), SETTINGS, lab[2])
        packed, size = batch.packed, batch.objects.shape[1]
        assert packed.video_start == 9 and batch.objects.shape == (6, size, 3) and 8 <= size <= 20
        assert packed.ids.shape == (6, 9 + size + 1)  # no question follows
        shown.append((batch.objects >= 0).all(-1).float().mean().item())
        assert ((batch.objects >= 0).all(-1) | (batch.objects == -1).all(-1)).all()
        for row in range(6):
            film = told(lab, packed.ids[row])
            times = (packed.positions[0, row, 9 : 9 + size] - 9) // 2
            assert (times.diff() >= 0).all() and times[0] >= 0 and times[-1] < film
            assert packed.thirds[row].tolist() == [int(3 * time / film) for time in times.tolist()]
            assert packed.positions[:, row, 9 + size].tolist() == [9 + max(2 * (film - 1), 1) + 1] * 3
            lengths.append(film)
            near += bool(times[-1] - times[0] <= 0.02 * film + 1)
    assert min(lengths) >= 7 and max(lengths) <= 6000
    assert np.histogram(np.log(lengths), bins=3, range=(np.log(7), np.log(6001)))[0].min() > 30  # of 180; 60 expected
    assert 0.4 < near / 180 < 0.7 and 0.3 < np.mean(shown) < 0.5


def test_the_same_generator_draws_the_same_films(lab: Lab) -> None:
    one, two, other = (clock_batch(np.random.default_rng(seed), SETTINGS, lab[2]) for seed in (0, 0, 1))
    assert torch.equal(one.packed.positions, two.packed.positions) and torch.equal(one.objects, two.objects)
    assert one.packed.positions.shape != other.packed.positions.shape or not torch.equal(one.objects, other.objects)


def test_the_loss_is_that_of_the_tokens_whose_film_is_told(lab: Lab) -> None:
    model, tokenizer, vocabulary = lab
    zones = torch.tensor(tokenizer.convert_tokens_to_ids(["start", "middle", "end"]))
    tokens, times = np.array([[0, CELLS + 1, 2 * CELLS]]), np.array([[0, 50, 99]])
    packed = pack([[]], tokens, times, vocabulary, SLIDING_WINDOW, lengths=np.array([100]))
    visual = torch.randn(1, 3, 128, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        _, hidden = read(model, packed, visual)
        found = third_loss(model, packed, hidden[4], zones)
        norm, rows = model.model.language_model.norm, model.get_input_embeddings().weight[zones]
        by_hand = [cross_entropy(rows @ norm(hidden[4][0, 9 + i]), torch.tensor(i)) for i in range(3)]
        torch.testing.assert_close(found, torch.stack(by_hand).mean())
        some = replace(packed, thirds=torch.tensor([[0, -1, 2]]))
        torch.testing.assert_close(third_loss(model, some, hidden[4], zones), (by_hand[0] + by_hand[2]) / 2)
        untold = pack([[]], tokens, times, vocabulary, SLIDING_WINDOW)
        assert third_loss(model, untold, read(model, untold, visual)[1][4], zones) == 0


def test_a_batch_moves_as_a_whole(lab: Lab) -> None:
    moved = clock_batch(np.random.default_rng(0), SETTINGS, lab[2]).to(torch.device("meta"))
    assert moved.objects.is_meta and moved.packed.thirds.is_meta and moved.packed.video_start == 9
