"""From a question to the token ids around the visual tokens, and which of them are what.

The checkpoint's own chat template decides everything but the user's text, which is literal: what looks like a special
token there stays ordinary text. Knows a tokenizer, no model and no video.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from framework.core.types import Question

USER, TOLD = "[[the user's text]]", "[[told before]]"  # stand for texts while the chat template is rendered
THINKING = "<think>"  # where a generation prompt ends with it, thoughts come first
REMEMBERED = 512  # prompts; groups of one video ask the same questions again


@dataclass(frozen=True)
class Prompt:
    """Holds a question as the model reads it."""

    after: Tensor  # i64 [L], ids after the visual tokens, up to where the answer starts
    rows: Mapping[str, Tensor]  # question, question_end, options, template, last: i64 indices into L
    option_ids: Tensor  # i64 [O], what the model writes for each option letter


class ChatText:
    """Splits prompts with one tokenizer and its chat template.

    `video` is what the template shows a video as: a token or several, in whose place the visual tokens come. `told` is
    text before a video, in which {seconds} stands for the time of its last tick; empty: none. `template` holds what the
    template is told beside the messages, and `system` is a first message, if any. Raises ValueError that names the key
    for a tokenizer or a template that cannot be used, where the template keeps no text before a video or no message of
    the system, and where it makes the model think before it answers.
    """

    def __init__(
        self,
        tokenizer: Any,
        video: str,
        told: str = "",
        template: Mapping[str, Any] | None = None,
        system: str | None = None,
    ) -> None:
        if not tokenizer.is_fast:
            raise ValueError(f"backbone.adapter.checkpoint: a fast tokenizer is needed, got {type(tokenizer).__name__}")
        if not tokenizer.chat_template:
            raise ValueError("backbone.adapter.checkpoint: its tokenizer has no chat template")
        self.tokenizer, self.template, self.system = tokenizer, dict(template or {}), system
        first = [{"type": "text", "text": TOLD}] if told else []
        with_video = self._rendered([*first, {"type": "video"}, {"type": "text", "text": USER}])
        if with_video.count(video) != 1:
            raise ValueError(
                f"backbone.adapter.checkpoint: its chat template must show a video as one {video}: {with_video!r}"
            )
        before, _, after = with_video.partition(video)
        if told and before.count(TOLD) != 1:
            raise ValueError(
                f"backbone.adapter.told: got {told!r}, but the checkpoint's chat template keeps no text before a video "
                f'({with_video!r}): set backbone.adapter.told=""'
            )
        if system is not None and system not in before:
            raise ValueError(
                f"backbone.adapter.system: got {system!r}, but the checkpoint's chat template shows no message of the "
                f"system ({before!r}): set backbone.adapter.system=null"
            )
        self.head = {True: before, False: self._rendered([{"type": "text", "text": USER}]).partition(USER)[0]}
        self.between = {True: after.partition(USER)[0], False: ""}
        self.tail = after.partition(USER)[2]
        self.leads = {True: self._plain_end(self.between[True]), False: self._plain_end(self.head[False])}
        self.anchor = self._anchor()
        if self.tail.rstrip().endswith(THINKING):
            raise ValueError(
                "backbone.adapter.checkpoint: its chat template lets the model think before it answers, but the first "
                "token must be the answer's: take an Instruct checkpoint, or set "
                "backbone.adapter.template={enable_thinking: false} where the template knows that"
            )
        self.told = told
        self.split = lru_cache(REMEMBERED)(self._split)
        self.before = lru_cache(REMEMBERED)(self._before)

    def _rendered(self, content: list[dict[str, str]]) -> str:
        messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
        if self.system is not None:
            messages.insert(0, {"role": "system", "content": [{"type": "text", "text": self.system}]})
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True, **self.template
            )
        except Exception as error:  # whatever a template of text alone makes of a list
            raise ValueError(
                "backbone.adapter.checkpoint: its chat template cannot show a video beside text: "
                f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            ) from error
        if text.count(USER) != 1:
            raise ValueError(
                f"backbone.adapter.checkpoint: its chat template must hold the user's text once, got {text!r}"
            )
        return text

    def _plain_end(self, text: str) -> str:
        """What follows the last special token of a text."""
        ends = (text.rfind(token) + len(token) for token in self.tokenizer.get_added_vocab() if token in text)
        return text[max(ends, default=0) :]

    def _anchor(self) -> str:
        """A special token to read text behind, for tokenizers that put a space before what they read first; or none.

        Those that put it after every special token read a piece that stands alone as they read it there.
        """
        special = next(iter(self.tokenizer.all_special_tokens), "")
        return "" if self.ids("A") == self.ids(special + "A")[len(self.ids(special)) :] else special

    def ids(self, text: str) -> list[int]:
        """Returns the ids of the text that a prompt begins with, special tokens included."""
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def inside(self, text: str) -> list[int]:
        """Returns the ids of text that follows a special token or the video somewhere in a prompt."""
        return self.ids(self.anchor + text)[len(self.ids(self.anchor)) :]

    def literal(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Returns the ids of a user's text and the characters each stands for, without any special token."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
        return encoded["input_ids"], encoded["offset_mapping"]

    def give_between(self) -> str:
        """Returns the text between a video and the user's, and leaves it to the caller: prompts come without it."""
        text = self.between[True]
        self.between = {True: "", False: ""}
        self.split.cache_clear()
        return text

    def _before(self, video: bool, seconds: float, more: str = "") -> Tensor:
        """The ids before the visual tokens, i64 [P], `more` being the last of their text; called `before`. Remembered.

        With a video, they say that it ends at `seconds`.
        """
        return torch.tensor(self.ids(self.head[video].replace(TOLD, self.told.format(seconds=seconds)) + more))

    def _user(self, text: str, video: bool) -> tuple[list[int], list[tuple[int, int]]]:
        """As `literal`, of a user's text where it stands: what the template writes right before it may change it."""
        lead = self.leads[video] or ("\n" if self.anchor else "")
        ids, spans = self.literal(lead + text)
        own = [place for place, (_, end) in enumerate(spans) if end > len(lead)]
        if own and spans[own[0]][0] < len(lead):  # a token of both
            return self.literal(text)
        return [ids[i] for i in own], [(spans[i][0] - len(lead), spans[i][1] - len(lead)) for i in own]

    def _split(self, question: Question, video: bool) -> Prompt:
        """The prompt of `question`, with or without a video; called `split` and remembered."""
        between = self.inside(self.between[video])
        user, spans = self._user(question.prompt, video)
        tail = self.ids(self.tail + question.cue)
        begin = question.prompt.index(question.bare)
        end = begin + len(question.bare)
        asks = torch.tensor([first < end and last > begin for first, last in spans], dtype=torch.bool)
        at = torch.arange(len(between), len(between) + len(user))
        length = len(between) + len(user) + len(tail)
        template = torch.ones(length, dtype=torch.bool)
        template[at] = False
        rows = {
            "question": at[asks],
            "question_end": at[asks][-1:],
            "options": at[~asks],
            "template": template.nonzero()[:, 0],
            "last": torch.tensor([length - 1]),
        }
        return Prompt(
            after=torch.tensor(between + user + tail),
            rows=rows,
            option_ids=torch.tensor(self._letters(question), dtype=torch.long),
        )

    def _letters(self, question: Question) -> list[int]:
        """The id of each option letter as the continuation of the assistant header and the cue.

        After a word or a colon a letter is written with a space before it. Where letter and cue would melt into one
        token, the letter stands alone, because the cue is already in the prompt.
        """
        context = self.tail + question.cue
        known = self.ids(context)
        space = " " if question.cue and (question.cue[-1].isalnum() or question.cue[-1] in ".,:;!?") else ""
        found = []
        for letter in question.letters:
            ids = self.ids(context + space + letter)
            ids = ids[len(known) :] if ids[: len(known)] == known else self.inside(space + letter)
            if len(ids) != 1 or ids[0] == self.tokenizer.unk_token_id:
                raise ValueError(
                    f"option letter {letter!r} is not one token of this tokenizer: {ids}, after cue {question.cue!r}"
                )
            found += ids
        if len(set(found)) < len(found):
            raise ValueError(
                f"this tokenizer has no separate tokens for the option letters {question.letters}: {found}"
            )
        return found
