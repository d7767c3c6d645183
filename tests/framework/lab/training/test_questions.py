"""Training questions: targets agree with what is shown, text with what the tokenizer makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framework.lab.queries import Key, Query, truth
from framework.lab.questions import pose
from framework.lab.tokenizer import LETTERS, build_tokenizer
from framework.lab.training.questions import Asker, QuestionSettings
from framework.lab.world import COLOURS, SHAPES

SPLITS = ("attribute", "conjunction", "two_evidence", "when", "order", "count")  # a clip's objects tell no direction
TOKENIZER = build_tokenizer()
VOCABULARY = TOKENIZER.get_vocab()
WORDS = {index: word for word, index in VOCABULARY.items()}
PLAIN = QuestionSettings(
    splits={name: 1.0 for name in SPLITS},
    absent_share=0.3,
    hard_share=0.6,
    lookup_share=0.0,
    open_share=0.0,
    other_wording_share=0.0,
    other_count_share=0.0,
)


def viewed(seed: int) -> tuple[np.random.Generator, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    count = int(generator.integers(0, 9))
    return (
        generator,
        generator.integers(0, (8, 8, 2), (count, 3)).astype(np.int8),
        np.sort(generator.integers(0, 8, count)),
    )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000), st.sampled_from(SPLITS))
def test_targets_are_honest(seed: int, split: str) -> None:
    generator, objects, ticks = viewed(seed)
    asker = Asker(replace(PLAIN, splits={split: 1.0}), VOCABULARY)
    question = asker.ask(generator, objects, ticks, 8, True)
    assert sum(question.target.values()) == pytest.approx(1.0)
    letters = {VOCABULARY[letter] for letter in LETTERS[: question.options]}
    assert set(question.target) <= letters
    assert question.ids[-1] in question.target  # the answer that is fed back could have been given
    assert WORDS[question.ids[question.answer_row]] == "assistant"
    words = [WORDS[i] for i in question.ids]
    if question.right is None:
        assert len(question.target) > 1
    elif question.split == "attribute":
        # independent reading: the option's word and the question's word occur together in one object
        letter = words.index(LETTERS[question.right])
        option, key = words[letter + 1], next(w for w in words if w in (*SHAPES, *COLOURS))
        pairs = {(SHAPES[s], COLOURS[c]) for s, c, _ in objects}
        assert (key, option) in pairs or (option, key) in pairs
    elif question.split == "count":
        option, key = words[words.index(LETTERS[question.right]) + 1], words[2]
        assert words[:2] == ["how", "many"]
        assert option == str(len({(s, c) for s, c, _ in objects.tolist() if key in (SHAPES[s], COLOURS[c])}))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 100_000))
def test_ids_are_those_of_the_tokenizer(seed: int) -> None:
    generator, objects, ticks = viewed(seed)
    busy = replace(PLAIN, lookup_share=0.1, open_share=0.3, other_wording_share=0.5, other_count_share=0.5)
    question = Asker(busy, VOCABULARY).ask(generator, objects, ticks, 8, True)
    text = " ".join(WORDS[i] for i in question.ids)
    assert TOKENIZER.encode(text, add_special_tokens=False) == question.ids
    for row, word in question.words:
        assert row <= question.answer_row and 0 <= word < len(VOCABULARY)
    for row, letter, _ in question.letters:
        options = [WORDS[i] for i in question.ids[:row]]
        assert LETTERS[letter] in options[-2:]


def test_training_reads_exactly_what_a_user_sends() -> None:
    generator = np.random.default_rng(0)
    query = Query("attribute", (Key("shape", 2),))
    posed = pose(generator, query, (4,), 4)
    content = [{"type": "video"}, {"type": "text", "text": posed.prompt}]
    sent = TOKENIZER.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    after_video = TOKENIZER.encode(sent.split("<|vision_end|>")[1], add_special_tokens=False)
    trained = Asker(PLAIN, VOCABULARY).encode(generator, posed)
    assert trained.ids[: trained.answer_row + 1] == after_video


def test_a_count_comes_with_its_number() -> None:
    posed = pose(np.random.default_rng(0), Query("count", (Key("shape", 2),)), (2,), 4)
    assert sorted(posed.options) == ["1", "2", "3", "4"] and posed.right is not None
    encoded = Asker(PLAIN, VOCABULARY).encode(np.random.default_rng(0), posed)
    words = [WORDS[i] for i in encoded.ids]
    assert words[:6] == ["how", "many", "star", "are", "shown", "?"]
    assert words[words.index(LETTERS[posed.right]) + 1] == "3" and WORDS[encoded.words[0][1]] == "3"
    nothing = pose(np.random.default_rng(0), Query("count", (Key("shape", 2),)), (None,), 4)
    assert nothing.target == (0.25,) * 4
    encoded = Asker(PLAIN, VOCABULARY).encode(np.random.default_rng(0), nothing)
    assert WORDS[encoded.words[0][1]] == "none" and not any(fits for _, _, fits in encoded.letters)


def test_what_is_counted_is_drawn_evenly_where_it_is_there() -> None:
    """Stars of four colours, hearts of three, bars of two, a moon; and of every colour there are fewer."""
    shapes = [2] * 4 + [5] * 3 + [6] * 2 + [7]
    objects = np.array([(shape, place % 4, 0) for place, shape in enumerate(shapes)], np.int8)
    objects[:4, 1], objects[4:7, 1], objects[7:9, 1], objects[9, 1] = range(4), range(4, 7), (7, 0), 1
    asker, ticks = Asker(replace(PLAIN, splits={"count": 1.0}, absent_share=0.2), VOCABULARY), np.zeros(10, np.int64)
    generator, found = np.random.default_rng(0), []
    for _ in range(400):
        question = asker.ask(generator, objects, ticks, 8, True)
        words = [WORDS[i] for i in question.ids]
        found.append(0 if question.right is None else int(words[words.index(LETTERS[question.right]) + 1]))
    counts = np.bincount(found, minlength=5)
    assert len(counts) == 5 and (abs(counts - 80) < 40).all()  # five standard deviations of a share of .2


def test_more_than_four_cannot_be_counted() -> None:
    crowd = np.array([(shape, colour, 0) for shape in range(8) for colour in range(8)], np.int8)
    ticks = np.zeros(len(crowd), np.int64)
    star = Query("count", (Key("shape", 2),))
    assert truth(star, crowd, ticks, 8) is None
    assert truth(star, crowd[crowd[:, 1] < 4], ticks[:32], 8) == (3,)
    assert truth(star, np.concatenate([crowd[16:17]] * 3), ticks[:3], 8) == (0,)  # the same thing again
    asked = Asker(replace(PLAIN, splits={"count": 1.0}), VOCABULARY).ask(
        np.random.default_rng(0), crowd, ticks, 8, True
    )
    assert asked.split == "attribute"  # as where there is nothing else to ask


@pytest.mark.parametrize(("total", "unclear"), [(300, {90, 100, 110, 190, 210}), (30, set())])
def test_no_one_is_asked_when_near_a_border_of_a_long_film(total: int, unclear: set[int]) -> None:
    """A star at one tick, a heart far from any border: `when` asks for the star where it is .12 thirds off a border.

    Of 300 ticks the thirds are 100 long, so 12 ticks on both sides of 100 and 200 are unclear.
    """
    asker = Asker(replace(PLAIN, splits={"when": 1.0}, absent_share=0.0), VOCABULARY)
    objects = np.array([(2, 0, 0), (5, 1, 0)], np.int8)
    for tick in (0, 50, 80, 90, 100, 110, 120, 150, 190, 210, 230, 299):
        generator, ticks = np.random.default_rng(0), np.array([tick * total // 300, total // 2])
        asked = {WORDS[asker.ask(generator, objects, ticks, total, True).ids[3]] for _ in range(40)}
        assert asked == ({"heart", "green"} if tick in unclear else {"star", "red", "heart", "green"}), tick


def test_half_the_evidence_leaves_two_options() -> None:
    query = Query("two_evidence", (Key("shape", 0), Key("shape", 1)))
    posed = pose(np.random.default_rng(0), query, (3, None), 4)
    assert sorted(posed.target) == [0.0, 0.0, 0.5, 0.5] and posed.right is None
    assert all(
        ("yellow" in option.split()[0]) == (share > 0)
        for option, share in zip(posed.options, posed.target, strict=True)
    )


def test_a_direction_comes_with_its_word() -> None:
    posed = pose(np.random.default_rng(0), Query("direction", (Key("colour", 2),)), (2,), 4)
    asked = Asker(PLAIN, VOCABULARY).encode(np.random.default_rng(0), posed)
    words = [WORDS[i] for i in asked.ids]
    assert words[:7] == ["where", "does", "the", "blue", "shape", "move", "?"]
    assert words[words.index(LETTERS[posed.right or 0]) + 1] == "up" and WORDS[asked.words[0][1]] == "up"
    assert asked.words[0][0] == 6 and asked.target == {VOCABULARY[LETTERS[posed.right or 0]]: 1.0}
    with pytest.raises(ValueError, match="direction can't be asked about clips"):
        Asker(replace(PLAIN, splits={"direction": 1.0}), VOCABULARY)
    with pytest.raises(ValueError, match="where an object moves"):
        truth(posed.query, np.zeros((1, 3), np.int8), np.zeros(1, np.int64), 8)


def test_truth_of_time_by_hand() -> None:
    objects = np.array([[2, 0, 0], [5, 1, 0], [2, 3, 1]], np.int8)
    star, heart, red = Key("shape", 2), Key("shape", 5), Key("colour", 0)
    assert truth(Query("when", (heart,)), objects, np.array([0, 4, 7]), 9) == (1,)
    assert truth(Query("when", (star,)), objects, np.array([0, 4, 7]), 9) is None  # at the start and at the end
    assert truth(Query("order", (heart, star)), objects, np.array([5, 4, 7]), 9) == (0,)
    assert truth(Query("order", (heart, star)), objects, np.array([4, 4, 7]), 9) is None
    assert truth(Query("order", (heart, Key("shape", 0))), objects, np.array([5, 4, 7]), 9) == (None,)
    assert truth(Query("attribute", (star,)), objects, np.array([0, 4, 7]), 9) is None  # red and yellow
    assert truth(Query("attribute", (red,)), objects, np.array([0, 4, 7]), 9) == (2,)
