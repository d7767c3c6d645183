"""Prompts by hand: literal user text, rows, option letters."""

from __future__ import annotations

import copy

import pytest
import torch

from framework.backbones.text import ChatText
from framework.core.types import Question
from framework.lab.tokenizer import build_tokenizer
from tests.framework.backbones.conformance.framed import TOKENIZERS


@pytest.fixture
def chat(make):
    return make().chat


def decoded(chat, ids) -> str:
    return chat.tokenizer.decode(ids)


def test_the_prompt_is_what_the_chat_template_makes_of_it(chat, questions) -> None:
    for question in questions:
        prompt = chat.split(question, True)
        content = [{"type": "video"}, {"type": "text", "text": question.prompt}]
        whole = chat.tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
        )
        pad = chat.tokenizer.convert_tokens_to_ids("<|video_pad|>")
        before = chat.before(True, 9.0).tolist()
        assert [*before, pad, *prompt.after.tolist()] == chat.tokenizer(whole)["input_ids"]
        assert whole.startswith("<|im_start|>system\nBe of help.")


def test_without_a_video_its_brackets_are_gone_too(chat, questions) -> None:
    prompt = chat.split(questions[0], False)
    before = decoded(chat, chat.before(False, 9.0))
    assert before == "<|im_start|>system\nBe of help.<|im_end|>\n<|im_start|>user\n"
    assert decoded(chat, prompt.after) == questions[0].prompt + "<|im_end|>\n<|im_start|>assistant\n"


def test_what_is_told_stands_before_the_video(make, chat, questions) -> None:
    telling = make(told="It ends at {seconds:.1f} s.\n").chat
    content = [{"type": "text", "text": "It ends at 12.3 s.\n"}, {"type": "video"}, {"type": "text", "text": "red?"}]
    whole = chat.tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
    before, _, _ = whole.partition("<|video_pad|>")
    assert decoded(telling, telling.before(True, 12.34)) == before
    assert before.endswith("user\nIt ends at 12.3 s.\n<|vision_start|>")
    assert telling.before(True, 12.34).tolist() == chat.tokenizer(before)["input_ids"]
    assert telling.before(False, 12.34).tolist() == chat.before(False, 0.0).tolist()  # no video, nothing to tell
    for video in (True, False):
        assert telling.split(questions[0], video).after.tolist() == chat.split(questions[0], video).after.tolist()


def test_a_template_that_keeps_no_text_before_a_video_cannot_tell(chat) -> None:
    tokenizer = copy.copy(chat.tokenizer)
    tokenizer.chat_template = (
        "{% for message in messages %}<|im_start|>user\n"
        "{% for part in message['content'] %}{% if part['type'] == 'video' %}<|video_pad|>{% endif %}{% endfor %}"
        "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
        "<|im_end|>\n{% endfor %}<|im_start|>assistant\n"
    )
    assert decoded(chat, ChatText(tokenizer, "<|video_pad|>").before(True, 1.0)) == "<|im_start|>user\n"
    with pytest.raises(
        ValueError, match=r"^backbone\.adapter\.told: got 'At {seconds}'.*set backbone\.adapter\.told=\"\""
    ):
        ChatText(tokenizer, "<|video_pad|>", "At {seconds}")


def test_a_template_that_makes_the_model_think_is_refused_until_it_is_told_not_to(chat) -> None:
    tokenizer = copy.copy(chat.tokenizer)
    tokenizer.chat_template += (
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
        "{% else %}<think>\n{% endif %}"
    )
    with pytest.raises(ValueError, match=r"think before it answers.*enable_thinking: false"):
        ChatText(tokenizer, "<|video_pad|>")
    told = ChatText(tokenizer, "<|video_pad|>", template={"enable_thinking": False})
    assert decoded(told, told.split(Question("x", "red?", "red?"), True).after).endswith("<think>\n\n</think>\n\n")


def test_several_tokens_may_stand_for_the_video(chat, questions) -> None:
    """Without the brackets that the template puts around it."""
    bare = ChatText(chat.tokenizer, "<|vision_start|><|video_pad|><|vision_end|>")
    assert decoded(bare, bare.before(True, 1.0)) == decoded(chat, chat.before(False, 1.0))
    assert torch.equal(bare.split(questions[0], True).after, chat.split(questions[0], False).after)


def test_special_tokens_typed_by_a_user_stay_text(chat) -> None:
    bare = "is <|im_end|> or <|video_pad|> red?"
    prompt = chat.split(Question("x", bare, bare), True)
    special = {chat.tokenizer.convert_tokens_to_ids(t) for t in ("<|im_end|>", "<|video_pad|>")}
    user = prompt.after[prompt.rows["question"]].tolist()
    assert not special & set(user)
    assert decoded(chat, user) == bare
    assert chat.ids("<|im_end|>") == [
        chat.tokenizer.convert_tokens_to_ids("<|im_end|>")
    ]  # of the template, still special


def test_rows_of_a_hand_made_prompt(chat) -> None:
    prompt = chat.split(Question("x", "Look: red or blue?\nA. red", "red or blue?"), True)

    def text(name: str) -> str:
        return decoded(chat, prompt.after[prompt.rows[name]])

    assert text("question").strip() == "red or blue?"
    assert text("question_end") == "?"
    assert text("options").replace(" ", "") == "Look:\nA.red"
    assert text("template") == "<|vision_end|><|im_end|>\n<|im_start|>assistant\n"
    assert prompt.rows["last"].tolist() == [len(prompt.after) - 1]
    parts = [prompt.rows[name].tolist() for name in ("question", "options", "template")]
    assert sorted(row for part in parts for row in part) == list(range(len(prompt.after)))


def test_the_cue_follows_the_assistant_header(chat) -> None:
    prompt = chat.split(Question("x", "red?", "red?", ("yes", "no"), cue="("), True)
    assert decoded(chat, prompt.after).endswith("<|im_start|>assistant\n(")


@pytest.mark.parametrize(("cue", "expected"), [("", ["A", "B"]), ("(", ["A", "B"])])
def test_option_ids_are_the_letters(chat, cue: str, expected: list[str]) -> None:
    prompt = chat.split(Question("x", "red?", "red?", ("yes", "no"), cue=cue), True)
    assert [decoded(chat, [i]) for i in prompt.option_ids.tolist()] == expected


def test_a_letter_of_several_tokens_is_refused(chat) -> None:
    """After a colon the letter is written with a space, and this tokenizer never learned ' A'."""
    with pytest.raises(ValueError, match="option letter 'A' is not one token"):
        chat.split(Question("x", "red?", "red?", ("yes", "no"), cue="Answer:"), True)


def test_text_that_holds_the_question_twice_marks_the_first(chat) -> None:
    prompt = chat.split(Question("x", "red?\nsay it: red?", "red?"), True)
    assert decoded(chat, prompt.after[prompt.rows["question"]]) == "red?"
    assert prompt.rows["question"].tolist() == list(range(1, 1 + len(prompt.rows["question"])))


def test_every_script_survives(chat) -> None:
    bare = "¿qué? 赤い星 🌟 звезда"
    prompt = chat.split(Question("x", bare + "\nA. да", bare), True)
    assert bare in decoded(chat, prompt.after[prompt.rows["question"]])


def test_the_labs_word_level_tokenizer() -> None:
    """No system prompt, letters are words, and J is none."""
    chat = ChatText(build_tokenizer(), "<|video_pad|>")
    bare, options = "What color is the star ?", ("red", "blue", "green", "black")
    prompt = chat.split(Question("x", bare + "\nA red\nB blue\nC green\nD black", bare, options), True)
    words = chat.tokenizer.convert_ids_to_tokens(prompt.after.tolist())
    assert words[:8] == ["<|vision_end|>", "what", "color", "is", "the", "star", "?", "A"]
    assert prompt.rows["question"].tolist() == [1, 2, 3, 4, 5, 6]
    assert prompt.rows["question_end"].tolist() == [6]
    assert chat.tokenizer.convert_ids_to_tokens(prompt.option_ids.tolist()) == ["A", "B", "C", "D"]
    with pytest.raises(ValueError, match="option letter 'J' is not one token"):
        chat.split(Question("x", bare, bare, tuple("123456789x")), True)


@pytest.mark.parametrize("words", TOKENIZERS)
@pytest.mark.parametrize("after", ["", "\n", "</v>\n", "</v>Look:\n"])
def test_pieces_are_read_as_the_whole_prompt_is(words: str, after: str, questions) -> None:
    """Also by tokenizers that put a space before text, at the beginning or after each special token."""
    tokenizer = TOKENIZERS[words]()
    tokenizer.add_tokens(["<|im_start|>", "<|im_end|>", "<v>", "</v>"], special_tokens=True)
    video = "{% if p.type == 'video' %}<v>" + after + "{% else %}{{ p.text }}{% endif %}"
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>user\n{% for p in m.content %}"
        + video
        + "{% endfor %}<|im_end|>{% endfor %}"
        "<|im_start|>assistant\n"
    )
    chat = ChatText(tokenizer, "<v>")
    for question in questions:
        for shown in (True, False):
            content = [{"type": "video"}] * shown + [{"type": "text", "text": question.prompt}]
            whole = tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False)
            pad = tokenizer.convert_tokens_to_ids(["<v>"]) * shown
            prompt = chat.split(question, shown)
            expected = tokenizer(whole, add_special_tokens=False)["input_ids"]
            assert [*chat.before(shown, 0.0).tolist(), *pad, *prompt.after.tolist()] == expected
            asked = tokenizer.decode(prompt.after[prompt.rows["question"]])
            assert asked.strip() == question.bare


def test_a_message_of_the_system_must_be_shown() -> None:
    tokenizer = TOKENIZERS["bytes"]()
    assert (
        ChatText(tokenizer, "<|video_pad|>", system="Be brief.").head[True].startswith("<|im_start|>system\nBe brief.")
    )
    tokenizer.chat_template = (
        "{% for p in messages[-1].content %}{% if p.type == 'video' %}<|video_pad|>{% else %}{{ p.text }}{% endif %}"
        "{% endfor %}"
    )
    with pytest.raises(ValueError, match=r"^backbone\.adapter\.system: got 'Be brief\.', but .*system=null$"):
        ChatText(tokenizer, "<|video_pad|>", system="Be brief.")


def test_what_stands_before_the_question_can_be_given_away(chat, questions) -> None:
    given = ChatText(chat.tokenizer, "<|video_pad|>")
    before = given.split(questions[0], True).after.tolist()
    assert given.give_between() == "<|vision_end|>"
    assert given.split(questions[0], True).after.tolist() == before[1:]
