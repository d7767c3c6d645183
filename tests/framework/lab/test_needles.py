"""Needle scenes: every question has exactly one right option, and only its own needles say which."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.lab.needles import needle_scene
from framework.lab.queries import SPLITS
from framework.lab.world import COLOURS, SHAPES, SIZES

EXAMPLES = settings(max_examples=40, deadline=None)
scenes = st.tuples(st.sampled_from(SPLITS), st.integers(0, 10_000), st.sampled_from([2, 4, 8]), st.integers(1, 5))


def make(split: str, seed: int, span: int, questions: int, frames: int = 320):  # type: ignore[no-untyped-def]
    return needle_scene(np.random.default_rng(seed), split, frames, questions, span, 1.0, 0.05, 0.3)


def named(phrase: str, objects: list[tuple[int, str, str, str]]) -> list[tuple[int, str, str, str]]:
    """Objects (tick, shape, colour, size) that fit every descriptive word of a phrase: read as a person would."""
    known = {*SHAPES, *COLOURS, *SIZES}
    wanted = [word for word in phrase.split() if word in known]
    return [thing for thing in objects if all(word in thing[1:] for word in wanted)]


def consistent(question, objects, ticks) -> list[str]:  # type: ignore[no-untyped-def]
    """The options that a reader of the question's English would accept, given every object of the video."""
    text = question.bare.removesuffix(" ?")
    if text.startswith("when"):
        thirds = {("start", "middle", "end")[3 * tick // ticks] for tick, *_ in named(text, objects)}
        return [option for option in question.options if {option} == thirds]
    if text.startswith("which is first"):
        first = {option: min(tick for tick, *_ in named(option, objects)) for option in question.options}
        return [option for option in question.options if first[option] == min(first.values())]
    answers = []
    for part in text.split(" and "):
        asked = 2 if part.startswith("what color") else 1
        answers.append({thing[asked] for thing in named(part, objects)})
    return [o for o in question.options if all({word} == found for word, found in zip(o.split(), answers, strict=True))]


@EXAMPLES
@given(scenes)
def test_exactly_one_option_is_supported_by_the_video(case: tuple[str, int, int, int]) -> None:
    scene, questions = make(*case)
    table = scene.contents()
    ticks, _, _ = np.nonzero(table[..., 0] >= 0)
    found = table[table[..., 0] >= 0]
    objects = [(int(t), SHAPES[s], COLOURS[c], SIZES[z]) for t, (s, c, z) in zip(ticks, found, strict=True)]
    for question in questions:
        assert len(set(question.options)) == len(question.options)
        assert consistent(question, objects, scene.ticks) == [question.options[question.right]]


@EXAMPLES
@given(scenes)
def test_without_its_needles_a_question_has_no_answer(case: tuple[str, int, int, int]) -> None:
    scene, questions = make(*case)
    table = scene.contents().reshape(scene.frames, -1, 3)
    for question in questions:
        hidden = table.copy()
        for needle in question.evidence:
            assert (table[needle.start : needle.start + needle.length, needle.cell, 0] >= 0).all()
            hidden[needle.start : needle.start + needle.length, needle.cell] = -1
        left = hidden[hidden[..., 0] >= 0]
        assert not any(key.matches(left).any() for key in question.query.keys)


@EXAMPLES
@given(scenes)
def test_a_scene_follows_from_its_seed_and_objects_never_overlap(case: tuple[str, int, int, int]) -> None:
    scene, questions = make(*case)
    again, same = make(*case)
    assert np.array_equal(scene.tracks, again.tracks) and questions == same and scene.seed == again.seed
    covered = scene.contents()[..., 0] >= 0
    assert covered.sum() == scene.tracks["length"].sum()


@EXAMPLES
@given(st.integers(0, 10_000))
def test_needles_live_whole_ticks_and_two_needles_are_far_apart(seed: int) -> None:
    for split in ("two_evidence", "order"):
        scene, questions = make(split, seed, 8, 5)
        for question in questions:
            one, two = sorted(needle.start for needle in question.evidence)
            assert one % 2 == two % 2 == 0 and two - one >= scene.frames // 5
            assert all(needle.length == 8 for needle in question.evidence)


def test_a_conjunction_has_a_twin_that_tempts() -> None:
    scene, questions = make("conjunction", 5, 8, 5)
    for question in questions:
        key = question.query.keys[0]
        same = scene.tracks[scene.tracks[key.attribute] == key.value]
        twins = same[same["size"] != key.size]
        other = "colour" if key.attribute == "shape" else "shape"
        assert {key.asked[int(t[other])] for t in twins} & set(question.options)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("colour", 320, 1, 8), "split='colour' is unknown"),
        (("attribute", 320, 6, 8), "questions=6"),
        (("attribute", 320, 1, 3), "span_frames=3"),
        (("attribute", 321, 1, 8), "frames=321"),
        (("order", 16, 1, 8), "no room for a needle"),
    ],
)
def test_impossible_videos_are_refused(arguments: tuple[str, int, int, int], message: str) -> None:
    split, frames, questions, span = arguments
    with pytest.raises(ValueError, match=message):
        needle_scene(np.random.default_rng(0), split, frames, questions, span, 1.0, 0.05, 0.3)


def test_ten_thousand_frames_stay_sparse() -> None:
    scene, questions = make("attribute", 1, 8, 5, frames=10_000)
    assert scene.frames == 10_000 and len(questions) == 5 and scene.tracks.nbytes < 200_000
