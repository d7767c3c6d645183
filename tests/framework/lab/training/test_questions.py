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

SPLITS = ("attribute", "conjunction", "two_evidence", "when", "order")  # a clip's objects don't tell a direction
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
