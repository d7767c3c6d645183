"""The abstract interface around one multimodal LLM: what strategies are shown comes from it, and so do the answers.

Adapters of model families are in `framework/backbones`. Knows no strategy.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch

from framework.core.types import Answer, Frames, Layout, Question, Selection, Tokens
from framework.core.view import Needs, Probe


class Backbone(ABC):
    """Defines the adapter around one multimodal LLM family.

    Contract: keeping *all* tokens reproduces the untouched model's logits. Many questions at once give the same as one
    at a time. The tokens of a tick are the same, but for rounding, whatever ticks are encoded with it. Nothing of one
    video or question is left for the next. Hooks are gone after an exception. No model class is patched.
    """

    frames_per_tick: int
    tick_time: str = "first"  # the time of a tick: first (of its first frame) or mean (between first and last)

    @property
    def home(self) -> torch.device:
        """Returns the device on which the language model begins; the CPU where an adapter says nothing else."""
        return torch.device("cpu")

    @property
    def size(self) -> tuple[int, int] | None:
        """Returns how many parameters the model has, and their size in bytes. None: that is not known."""
        return None

    @abstractmethod
    def frame_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width in pixels that a frame of the given size is resized to before encoding."""

    def video_frame_size(self, height: int, width: int, frames: int) -> tuple[int, int]:
        """Returns the same for a video of which `frames` frames are looked at.

        By default the number of frames makes no difference.
        """
        return self.frame_size(height, width)

    @abstractmethod
    def layout(self, ticks: torch.Tensor, height: int, width: int) -> Layout:
        """Returns the layout of the N tokens that encoding `ticks` would make. No pixels are needed.

        `ticks` are timeline indices, i64 [Tg]. `height` and `width` are those of the resized frames.
        """

    @abstractmethod
    def encode(self, frames: Frames, layout: Layout, keep: torch.Tensor | None = None) -> Tokens:
        """Encodes frames with the vision tower and the projector.

        `layout` is that of `frames`. `keep` (bool [N]) drops tokens, before the tower where possible. The result has N
        = 0 tokens if none is kept.
        """

    @abstractmethod
    def probe(self, tokens: Tokens, questions: Sequence[Question], needs: Needs) -> list[Probe]:
        """Returns one probe per question over the N tokens of a group. The visual prefix runs once.

        N = 0 means no video: the probe is then the prior.
        """

    @abstractmethod
    def query(self, question: Question) -> torch.Tensor:
        """Returns the input embeddings of the bare question, f32 [L, D]."""

    @abstractmethod
    def answer(self, selection: Selection, question: Question) -> Answer:
        """Returns the model's answer from the kept tokens."""

    @abstractmethod
    def group_answer(self, probe: Probe, question: Question) -> Answer:
        """Returns the answer that a group's own probe (with logits) amounts to."""

    @abstractmethod
    def forward(self, tokens: Tokens, question: Question, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Runs a differentiable pass for training.

        Returns the loss over `labels` (i64 [R] response ids) and the logits f32 [R, V].
        """

    def lighten(self) -> bool:
        """Makes passes smaller after running out of memory. Answers stay the same.

        Returns False when passes cannot be smaller.
        """
        return False

    def rest(self) -> None:
        """Moves the weights to the CPU while another model works. By default they stay where they are."""
        return None

    def wake(self) -> None:
        """Moves the weights back to where they were before `rest`. Nothing happens where they did not rest."""
        return None

    @abstractmethod
    def encode_flops(self, tokens: int, per_tick: int) -> float:
        """Estimates the operations of encoding `tokens` tokens of ticks that have `per_tick`, kept or not."""

    @abstractmethod
    def probe_flops(
        self, tokens: int, questions: Sequence[Question], needs: Needs, seconds: torch.Tensor | None = None
    ) -> float:
        """Estimates the operations of a probe of `tokens` visual tokens with some questions, their text included.

        Response tokens count as many as may be decoded. `seconds` are the times of the tokens, f64 [N]: a backbone may
        write text around the tokens of each tick. With None no such text is counted.
        """

    @abstractmethod
    def answer_flops(self, tokens: int, question: Question, seconds: torch.Tensor | None = None) -> float:
        """Estimates the operations of an answer from `tokens` visual tokens, the question's text included.

        `seconds` as in `probe_flops`: those of `shown_seconds`.
        """

    def shown_seconds(self, selection: Selection) -> torch.Tensor:
        """Returns the times, f64 [n], of what a final pass writes the text around: by default of the kept tokens."""
        return selection.tokens.seconds
