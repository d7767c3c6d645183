"""Turns a typed question into the exact user text that a model reads."""

from __future__ import annotations

from dataclasses import dataclass

from framework.core.types import Question


@dataclass(frozen=True)
class PromptTemplate:
    """Describes how a backbone is asked: option lines, instruction, cue and the length of an answer."""

    option: str  # one line per option, with {letter} and {text}
    instruction: str  # last line of a multiple-choice prompt; empty: none
    cue: str  # start of the answer after the assistant header; empty: none
    max_new_tokens: int  # of a multiple-choice answer
    max_new_tokens_open: int  # of an open-ended answer

    def question(self, identity: str, bare: str, options: tuple[str, ...] = ()) -> Question:
        """Builds the question with its prompt: the bare text, one line per option, the instruction."""
        bare = bare.strip()
        lines = [bare]
        for i, text in enumerate(options):
            lines.append(self.option.replace("{letter}", chr(ord("A") + i)).replace("{text}", text))
        if options and self.instruction:
            lines.append(self.instruction)
        return Question(
            id=identity,
            prompt="\n".join(lines),
            bare=bare,
            options=options,
            cue=self.cue if options else "",
            max_new_tokens=self.max_new_tokens if options else self.max_new_tokens_open,
        )
