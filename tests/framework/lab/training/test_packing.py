"""Packing: questions behind one video answer as if each stood alone, at the positions the stock model would use.

What the adapter reads of the same tokens at the same times is the same, too: ids, positions and answer.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.config import plugins
from framework.config.build import build_plain
from framework.core.types import Question, Selection, Tokens
from framework.core.view import Needs
from framework.lab.model import SLIDING_WINDOW, build_model, save_checkpoint
from framework.lab.queries import Key, Query
from framework.lab.questions import LabQuestion, pose
from framework.lab.training.forward import at, encode, read
from framework.lab.training.packing import Packed, before, pack
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.world import CELLS, GRID

SETTINGS = QuestionSettings(
    splits=dict.fromkeys(("attribute", "conjunction", "two_evidence", "when", "order", "count"), 1.0),
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


@pytest.mark.parametrize("films", [None, [20, 6000]])
def test_packed_questions_equal_questions_alone(lab, films) -> None:  # type: ignore[no-untyped-def]
    model, vocabulary = lab
    questions = drawn(vocabulary, clips=2, count=5)
    kept = np.array([[0, 1, 5, 9, 17, 30], [2, 3, 4, 8, 16, 31]])
    times = np.array([np.arange(8), np.sort(np.random.default_rng(0).permutation(5000)[:8])])
    visual = torch.randn(2, 6, model.config.text_config.hidden_size, generator=torch.Generator().manual_seed(0))
    lengths = None if films is None else np.array(films)
    together = hidden(model, pack(questions, kept, times, vocabulary, SLIDING_WINDOW, lengths=lengths), visual)
    alone = []
    for clip in range(2):
        for question in questions[clip]:
            one = slice(clip, clip + 1)
            length = None if lengths is None else lengths[one]
            packed = pack([[question]], kept[one], times[one], vocabulary, SLIDING_WINDOW, lengths=length)
            alone.append(hidden(model, packed, visual[clip : clip + 1]))
    assert torch.allclose(together, torch.cat(alone), atol=1e-4)


def asked(generator: np.random.Generator) -> list[LabQuestion]:
    """A question of each kind that the positions might matter to, with an answer of its own."""
    star, moon = Key("shape", 2), Key("shape", 7)
    queries = [
        Query("when", (star,)),
        Query("order", (star, moon)),
        Query("count", (moon,)),
        Query("attribute", (star,)),
    ]
    return [pose(generator, query, (int(generator.integers(2)),), 4) for query in queries]


@pytest.mark.parametrize("positions", ["original", "compact", "sequential"])
@pytest.mark.parametrize("told", [True, False])
def test_the_adapter_reads_what_was_packed(lab, tmp_path: Path, positions: str, told: bool) -> None:  # type: ignore[no-untyped-def]
    """Of the same tokens at the same times: ids before the video, positions, ids of the question, answer."""
    model, vocabulary = lab
    _, tokenizer = build_model(seed=2)
    node = yaml.safe_load((plugins.CONF / "backbone" / "lab.yaml").read_text())["adapter"]
    node |= {"checkpoint": str(save_checkpoint(model, tokenizer, tmp_path)), "overlay": None, "device": "cpu"}
    node |= {"told": "{seconds:05.0f} seconds" if told else "", "text_offset": "max_id" if told else "grid"}
    backbone = build_plain({**node, "answer_positions": positions}, Qwen25VL, "adapter")
    generator, ticks = np.random.default_rng(4), 9
    if positions == "compact":  # a group: every tick of it is seen, and it is all there is
        kept, films = np.tile(np.arange(ticks * CELLS), (3, 1)), np.full(3, ticks)
        times = np.tile(np.arange(ticks), (3, 1))
    else:  # the last tick of a film is not among those that are seen
        kept = np.stack([np.sort(generator.permutation(ticks * CELLS)[:14]) for _ in range(3)])
        films = np.array([10, 97, 6000])
        times = np.stack([np.sort(generator.permutation(film - 1)[:ticks]) for film in films])
    asker = Asker(replace(SETTINGS, open_share=0.0, other_wording_share=0.0), vocabulary)
    questions = [asked(generator) for _ in films]
    posed = [[asker.encode(generator, question) for question in row] for row in questions]
    lengths = films if told else None
    packed = pack(posed, kept, times, vocabulary, SLIDING_WINDOW, positions == "sequential", lengths=lengths)
    size, start = kept.shape[1], packed.video_start
    visual = torch.randn(3, size, 128, generator=torch.Generator().manual_seed(0))
    logits = model.lm_head(hidden(model, packed, visual)).detach()
    assert start == (9 if told else 3)
    for clip, film in enumerate(films.tolist()):
        tick, cell = (torch.from_numpy(part) for part in np.divmod(kept[clip], CELLS))
        seconds = torch.from_numpy(times[clip])[tick].double()
        extent = {"extent": torch.full((size,), GRID)}
        tokens = Tokens(visual[clip], tick, cell // GRID, cell % GRID, seconds, extent)
        end = None if positions == "compact" else torch.arange(film, dtype=torch.float64)
        head = backbone.before(tokens, positions, end)
        assert head.tolist() == packed.ids[clip, :start].tolist()
        prefix = backbone.prefix(tokens, head, positions, end)
        assert torch.equal(prefix.positions, packed.positions[:, clip, : start + size])
        row = start + size  # of what stands behind the video; the first question comes next
        for number, (question, trained) in enumerate(zip(questions[clip], posed[clip], strict=True)):
            core = Question("", question.prompt, question.bare, question.options)
            after, length = backbone.chat.split(core, True).after, len(trained.ids) - 1  # the answer is not read
            place = torch.tensor([start + size, *range(row + 1, row + 1 + length)])
            assert packed.ids[clip, place].tolist() == after.tolist()
            text = torch.arange(prefix.text_start, prefix.text_start + len(after))
            assert torch.equal(packed.positions[:, clip, place], text.expand(3, -1))
            shares = logits[
                clip * len(questions[clip]) + number, [vocabulary[x] for x in "ABCD"[: len(question.options)]]
            ]
            selection = Selection(tokens, torch.zeros(size, dtype=torch.long), size, clock=end)
            found = backbone.answer(selection, core).probabilities
            assert found == pytest.approx(shares.softmax(-1).tolist(), abs=1e-5)
            if positions == "compact":
                (probe,) = backbone.probe(tokens, [core], Needs(logits=True))
                assert backbone.group_answer(probe, core).probabilities == pytest.approx(found, abs=1e-6)
            row += len(trained.ids)


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


def test_a_film_whose_length_is_told_by_hand(lab) -> None:  # type: ignore[no-untyped-def]
    _, vocabulary = lab
    assert before(999) == ("<|im_start|>", "user", *"00999", "seconds", "<|vision_start|>")
    assert before(None) == ("<|im_start|>", "user", "<|vision_start|>")
    question = drawn(vocabulary, 1, 1)[0][0]
    lengths, tokens = np.array([1000, 3]), np.array([[1, 6], [0, 4]])
    packed = pack([[question]] * 2, tokens, np.array([[333, 999], [0, 1]]), vocabulary, SLIDING_WINDOW, lengths=lengths)
    words = {index: word for word, index in vocabulary.items()}
    assert tuple(words[i] for i in packed.ids[0, :9].tolist()) == before(999)
    assert tuple(words[i] for i in packed.ids[1, :9].tolist()) == before(2)
    # the video starts at 9, a tick is 2; the last ticks, 999 and 2, are at 2007 and 13
    assert packed.video_start == 9 and packed.positions[:, 0, 9:11].T.tolist() == [[675, 9, 10], [2007, 10, 9]]
    assert packed.positions[:, 0, 11:14].tolist() == [[2008, 2009, 2010]] * 3
    assert packed.positions[:, 1, 11:14].tolist() == [[14, 15, 16]] * 3
    assert packed.thirds.tolist() == [[0, 2], [0, 1]]  # 3 x 333 < 1000
    short = pack(
        [[question]], np.array([[3]]), np.array([[0]]), vocabulary, SLIDING_WINDOW, grid=7, lengths=lengths[1:]
    )
    assert short.positions[0, 0, 10] == 9 + 7  # a grid of 7 reaches farther than three ticks
    for rest in ({}, {"sequential": True, "lengths": lengths[:1]}):
        packed = pack([[question]], np.array([[1, 6]]), np.array([[40, 900]]), vocabulary, SLIDING_WINDOW, **rest)
        assert packed.thirds.tolist() == [[-1, -1]]


def test_a_batch_moves_as_a_whole(lab) -> None:  # type: ignore[no-untyped-def]
    _, vocabulary = lab
    question, lengths = drawn(vocabulary, 1, 1)[0][0], np.array([9])
    packed = pack([[question]], np.array([[1]]), np.array([[4]]), vocabulary, SLIDING_WINDOW, lengths=lengths)
    moved = packed.to(torch.device("meta"))
    assert moved.thirds.is_meta and moved.positions.is_meta and moved.video_start == 9


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
