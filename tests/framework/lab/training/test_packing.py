"""Packing: questions behind one video answer as if each stood alone, at the positions the stock model would use."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from framework.lab.model import SLIDING_WINDOW, build_model
from framework.lab.training.forward import at, encode, read
from framework.lab.training.packing import Packed, pack
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.world import CELLS

SETTINGS = QuestionSettings(
    splits={"attribute": 1.0, "conjunction": 1.0, "two_evidence": 1.0, "when": 1.0, "order": 1.0},
    absent_share=0.3,
    hard_share=0.5,
    lookup_share=0.1,
    open_share=0.1,
    other_wording_share=0.1,
    other_count_share=0.2,
)


@pytest.fixture(scope="module")
def lab():  # type: ignore[no-untyped-def]
    model, tokenizer = build_model(seed=2)
    return model.eval(), tokenizer.get_vocab()


def drawn(vocabulary: dict[str, int], clips: int, count: int):  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(7)
    asker = Asker(SETTINGS, vocabulary)
    objects = generator.integers(0, 2, (6, 3)).astype(np.int8) + np.array([0, 0, 0], np.int8)
    return [[asker.ask(generator, objects, np.arange(6), 8, True) for _ in range(count)] for _ in range(clips)]


def hidden(model, packed: Packed, visual: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
    with torch.no_grad():
        final, _ = read(model, packed, visual)
        return at(final, packed.answer_rows)


def test_packed_questions_equal_questions_alone(lab) -> None:  # type: ignore[no-untyped-def]
    model, vocabulary = lab
    questions = drawn(vocabulary, clips=2, count=5)
    kept = np.array([[0, 1, 5, 9, 17, 30], [2, 3, 4, 8, 16, 31]])
    times = np.array([np.arange(8), np.sort(np.random.default_rng(0).permutation(5000)[:8])])
    visual = torch.randn(2, 6, model.config.text_config.hidden_size, generator=torch.Generator().manual_seed(0))
    together = hidden(model, pack(questions, kept, times, vocabulary, SLIDING_WINDOW), visual)
    alone = []
    for clip in range(2):
        for question in questions[clip]:
            packed = pack([[question]], kept[clip : clip + 1], times[clip : clip + 1], vocabulary, SLIDING_WINDOW)
            alone.append(hidden(model, packed, visual[clip : clip + 1]))
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def test_one_question_is_the_stock_forward_with_its_own_positions(lab) -> None:  # type: ignore[no-untyped-def]
    """Position ids equal get_rope_index, and masks equal those that the stock model builds for itself."""
    model, vocabulary = lab
    ticks = 6
    question = drawn(vocabulary, 1, 1)[0][0]
    packed = pack([[question]], np.arange(ticks * CELLS)[None], np.arange(ticks)[None], vocabulary, SLIDING_WINDOW)
    video = packed.ids == vocabulary["<|video_pad|>"]
    grid = torch.tensor([[ticks, 4, 4]])
    positions, _ = model.model.get_rope_index(packed.ids, video.int() * 2, video_grid_thw=grid)
    assert torch.equal(packed.positions, positions)
    pixels = torch.randint(
        0, 256, (1, 2 * ticks, 56, 56, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1)
    )
    with torch.no_grad():
        visual = encode(model, pixels)
        ours = model.lm_head(hidden(model, packed, visual))
        text = model.get_input_embeddings()(packed.ids)
        stock = model(
            inputs_embeds=text.masked_scatter(video[..., None], visual),
            attention_mask=torch.ones_like(packed.ids),
            position_ids=positions,
        ).logits
    assert torch.allclose(ours, stock[0, packed.answer_rows[:, 1]], atol=1e-4)


def test_masks(lab) -> None:  # type: ignore[no-untyped-def]
    """By hand: 3 + 4 + 1 shared places, then two questions."""
    _, vocabulary = lab
    one, two = drawn(vocabulary, 1, 2)[0]
    packed = pack([[one, two]], np.arange(4)[None], np.arange(1)[None], vocabulary, SLIDING_WINDOW)
    shared, first, second = 8, len(one.ids), len(two.ids)
    full = packed.full[0, 0]
    assert full.shape == (shared + first + second,) * 2
    row = shared + first + 1  # second place of the second question
    assert full[row, :shared].all() and not full[row, shared : shared + first].any()
    assert full[row].sum() == shared + 2
    sliding = packed.sliding[0, 0]
    assert sliding[row].sum() == SLIDING_WINDOW  # itself, one before it, and the last six shared places
    assert sliding[row, 2:shared].all() and not sliding[row, :2].any()
    assert not torch.triu(full, 1).any()
    assert packed.targets.sum(-1).tolist() == pytest.approx([1.0, 1.0])


def test_positions_of_scattered_tokens(lab) -> None:  # type: ignore[no-untyped-def]
    _, vocabulary = lab
    question = drawn(vocabulary, 1, 1)[0][0]
    packed = pack([[question]], np.array([[1, 6]]), np.array([[40, 900]]), vocabulary, SLIDING_WINDOW)
    # token 1: tick 0, row 0, column 1; token 6: tick 1, row 1, column 0; the video starts at 3, a tick is 2
    assert packed.positions[:, 0, 3:5].T.tolist() == [[83, 3, 4], [1803, 4, 3]]
    assert packed.positions[:, 0, 5:8].tolist() == [[5, 6, 7]] * 3


def test_a_wide_video_is_the_stock_forward_too(lab) -> None:  # type: ignore[no-untyped-def]
    """7 x 7 tokens a tick: positions equal get_rope_index, visual tokens those of the stock tower, tick by tick."""
    model, vocabulary = lab
    question = drawn(vocabulary, 1, 1)[0][0]
    packed = pack([[question]], np.arange(98)[None], np.arange(2)[None], vocabulary, SLIDING_WINDOW, grid=7)
    video = packed.ids == vocabulary["<|video_pad|>"]
    positions, _ = model.model.get_rope_index(packed.ids, video.int() * 2, video_grid_thw=torch.tensor([[2, 14, 14]]))
    assert torch.equal(packed.positions, positions)
    pixels = torch.randint(0, 256, (1, 4, 196, 196, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole, parts = encode(model, pixels), [encode(model, part) for part in pixels.split(2, dim=1)]
    assert whole.shape == (1, 98, 128) and torch.allclose(whole, torch.cat(parts, dim=1), atol=1e-5)
