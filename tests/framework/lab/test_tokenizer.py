"""The word tokenizer: exact round trip through its files, what people type, and the chat template."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from framework.lab.needles import needle_scene
from framework.lab.queries import SPLITS
from framework.lab.tokenizer import LETTERS, SPECIAL, UNKNOWN, build_tokenizer, words, words_of


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return build_tokenizer()


def test_files_round_trip(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    tokenizer.save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.get_vocab() == tokenizer.get_vocab() and len(loaded) == len(words())
    assert loaded.chat_template == tokenizer.chat_template
    text = "<|im_start|>user What colour is the Star? A red, B blue<|im_end|>"
    assert loaded.encode(text, add_special_tokens=False) == tokenizer.encode(text, add_special_tokens=False)
    assert (loaded.eos_token, loaded.pad_token, loaded.unk_token) == ("<|im_end|>", "<|endoftext|>", UNKNOWN)


def test_what_people_type_is_read(tokenizer) -> None:  # type: ignore[no-untyped-def]
    typed = tokenizer.encode("What color is the Star?\nA Red\nb blue", add_special_tokens=False)
    meant = tokenizer.encode("what color is the star ? A red B blue", add_special_tokens=False)
    assert typed == meant
    assert tokenizer.convert_ids_to_tokens(typed)[-4:] == ["A", "red", "B", "blue"]
    assert tokenizer.encode("What COLOUR", add_special_tokens=False) == tokenizer.encode("what color")
    assert tokenizer.convert_ids_to_tokens(tokenizer.encode("zyzzyva star")) == [UNKNOWN, "star"]


def test_words_are_known_or_not_as_the_model_reads_them() -> None:
    known, unknown = words_of("What's the COLOUR of Zyzzyva's star-fish, A or b? 12 17 什么")
    assert known == ["what", "the", "color", "of", "star", "or", "1", "2", "1", "7"]
    assert unknown == ["zyzzyva", "fish", "什么"]


def test_numbers_are_read_digit_by_digit(tokenizer) -> None:  # type: ignore[no-untyped-def]
    read = tokenizer.convert_ids_to_tokens(tokenizer.encode("05999 seconds<|vision_start|>16 or 3?"))
    assert read == [*"05999", "seconds", "<|vision_start|>", "1", "6", "or", "3", "?"]
    assert not [word for word in words() if word.isdigit() and len(word) > 1]


def test_letters_and_special_tokens_are_one_token_each(tokenizer) -> None:  # type: ignore[no-untyped-def]
    for word in (*LETTERS, *SPECIAL, "yes", "no", "none", "7"):
        assert len(tokenizer.encode(word, add_special_tokens=False)) == 1
        assert tokenizer.decode(tokenizer.encode(word, add_special_tokens=False)) == word


@pytest.mark.parametrize("split", SPLITS)
def test_no_word_of_a_question_is_unknown(tokenizer, split: str) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        _, questions = needle_scene(np.random.default_rng(seed), split, 256, 5, 8, 1.0, 0.05, 0.2)
        for question in questions:
            tokens = tokenizer.convert_ids_to_tokens(tokenizer.encode(question.prompt, add_special_tokens=False))
            assert tokens == question.prompt.split() and UNKNOWN not in tokens


def test_chat_template(tokenizer) -> None:  # type: ignore[no-untyped-def]
    content = [{"type": "video"}, {"type": "text", "text": "what color is the star ?\nA red"}]
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )
    assert text == (
        "<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>what color is the star ?\nA red<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    plain = [{"role": "user", "content": "yes ?"}, {"role": "assistant", "content": "no"}]
    assert tokenizer.apply_chat_template(plain, tokenize=False) == (
        "<|im_start|>user\nyes ?<|im_end|>\n<|im_start|>assistant\nno<|im_end|>\n"
    )
