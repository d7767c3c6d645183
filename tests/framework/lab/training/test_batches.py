"""Language batches: what is asked about time is true in the film whose length is told, wherever its ticks lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.lab.model import SLIDING_WINDOW
from framework.lab.tokenizer import LETTERS, build_tokenizer
from framework.lab.training.batches import (
    LanguageBatch,
    LanguageSettings,
    _far_times,
    language_batch,
    vision_batch,
    vocabulary_of,
)
from framework.lab.training.clips import ClipSettings
from framework.lab.training.clock import ClockSettings
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.world import COLOURS, SHAPES

VOCABULARY = vocabulary_of(build_tokenizer())
WORDS = {index: word for word, index in VOCABULARY.items()}
CLIPS = ClipSettings((0.1, 0.4), (2, 8), 0.5, 1.0, 0.3, 0.3, 0.1, (0.01, 0.1), 0.0)  # ticks whose two frames are alike
BATCHES = LanguageSettings(
    oracle=True,
    clips=2,
    questions=6,
    frames=[(0, 16), (5, 32)],
    far_share=0.7,
    farthest=6000,
    subset_share=0.3,
    subset=(8, 20),
    most_clips=8,
    length_told=True,
)
TIMED = QuestionSettings({"when": 1.0, "order": 1.0}, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0)


def draw(seed: int, asked: LanguageSettings = BATCHES, questions: QuestionSettings = TIMED) -> LanguageBatch:
    return language_batch(np.random.default_rng(seed), 0, asked, CLIPS, Asker(questions, VOCABULARY), SLIDING_WINDOW)


def test_a_batch_follows_from_its_generator() -> None:
    one, two = draw(3), draw(3)
    assert one.questions == two.questions and (one.packed.positions == two.packed.positions).all()
    pixels = replace(BATCHES, oracle=False)
    shown = draw(3, pixels).pixels
    assert shown is not None and shown.shape[1:] == (16, 56, 56, 3) and one.pixels is None
    beside = draw(3, replace(BATCHES, clock=ClockSettings(3, (5, 9), 900, 0.5, 0.5)))
    assert beside.clock is not None and beside.clock.packed.thirds.shape == (3, beside.clock.objects.shape[1])
    assert beside.questions == one.questions and one.clock is None
    assert len(draw(0).kept) == 4  # as many visual tokens as two clips of 32 frames
    assert vision_batch(np.random.default_rng(0), 2, 4, CLIPS).objects.shape == (2, 2, 4, 3)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 100_000), st.integers(2, 21))
def test_far_ticks_are_in_order_within_their_film(seed: int, ticks: int) -> None:
    times, film = _far_times(np.random.default_rng(seed), ticks, 6000)
    assert times.shape == (ticks,) and (np.diff(times) > 0).all()
    assert times[0] >= 0 and times[-1] < film and ticks <= film <= 6000


def test_there_are_four_kinds_of_far_ticks() -> None:
    kinds = {"neighbours": 0, "even": 0, "runs of four": 0, "scattered": 0}
    for seed in range(400):
        times, film = _far_times(np.random.default_rng(seed), 16, 6000)
        steps = np.diff(times)
        inside = np.delete(steps, [3, 7, 11])  # of the four runs
        if film < 200:
            continue  # too short to tell them apart
        if (steps == steps[0]).all():
            kinds["neighbours" if steps[0] == 1 else "even"] += 1
        else:
            kinds["runs of four" if (inside == 1).all() else "scattered"] += 1
    total = sum(kinds.values())
    assert all(0.15 < number / total < 0.35 for number in kinds.values()), kinds


def film_of(batch: LanguageBatch, clip: int) -> tuple[np.ndarray, int]:
    """Read from a packed batch: the times of a clip's tokens, and the length of its film, in ticks."""
    start, size = batch.packed.video_start, batch.kept.shape[1]
    told = "".join(WORDS[int(i)] for i in batch.packed.ids[clip, 2:7])
    places = batch.packed.positions[0, clip, start : start + size].numpy() - start
    return places // 2, int(told) + 1


def test_times_are_asked_in_the_film_that_is_told() -> None:
    """An independent reading of the question's words, the tokens' contents and their places."""
    zones, orders, long = set(), set(), 0
    for seed in range(40):
        batch = draw(seed)
        for clip in range(len(batch.kept)):
            times, film = film_of(batch, clip)
            long += film > 100
            assert batch.packed.thirds[clip].tolist() == (3 * times // film).tolist()
            things = [{SHAPES[s], COLOURS[c]} if s >= 0 else set() for s, c, _ in batch.objects[clip].tolist()]
            for question in batch.questions[6 * clip : 6 * clip + 6]:
                words = [WORDS[i] for i in question.ids]
                if question.right is None or question.split == "attribute":
                    continue
                option = words[words.index(LETTERS[question.right]) + 1]
                if question.split == "when":
                    when = [t for t, thing in zip(times, things, strict=True) if words[3] in thing]
                    assert {("start", "middle", "end")[3 * t // film] for t in when} == {option}
                    zones.add(option)
                else:
                    known = [word for word in words[: words.index("?")] if word in (*SHAPES, *COLOURS)]
                    first = {w: min(t for t, thing in zip(times, things, strict=True) if w in thing) for w in known}
                    assert len(first) == 2 and option == min(first, key=lambda w: first[w])
                    orders.add(known.index(option))
    assert zones == {"start", "middle", "end"} and orders == {0, 1} and long > 20


def test_without_lengths_only_near_and_whole_clips_are_asked_about_time() -> None:
    plain = replace(BATCHES, length_told=False, far_share=0.5)
    mixed = replace(TIMED, splits={"when": 1.0, "attribute": 1.0})
    asked = 0
    for seed in range(20):
        batch = draw(seed, plain, mixed)
        start, size = batch.packed.video_start, batch.kept.shape[1]
        assert start == 3 and (batch.packed.thirds == -1).all()
        for clip in range(len(batch.kept)):
            times = (batch.packed.positions[0, clip, start : start + size].numpy() - start) // 2
            near = size == 32 and times[-1] == 7
            splits = {question.split for question in batch.questions[6 * clip : 6 * clip + 6]}
            assert near or splits == {"attribute"}
            asked += "when" in splits
    assert asked > 5


@pytest.mark.parametrize("step", [0, 5])
def test_lengths_in_use_grow_with_the_step(step: int) -> None:
    asker = Asker(TIMED, VOCABULARY)
    sizes = {
        language_batch(np.random.default_rng(s), step, replace(BATCHES, subset_share=0.0), CLIPS, asker, 8).kept.shape
        for s in range(12)
    }
    assert sizes == ({(4, 32)} if step == 0 else {(4, 32), (2, 64)})
