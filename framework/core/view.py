"""What a strategy asks for, and what it is shown: needs, probes and the view of one group with one question.

Reading what was not asked for raises `MissingNeed`. Knows the values of `types.py`, no model and no strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor

from framework.core.types import Frames, Group, Layout, Question, Tokens
from framework.core.value import Value


class MissingNeed(AttributeError):
    """A strategy read something of a group that it had not asked for in its `needs`."""


@dataclass(frozen=True)
class Needs:
    """What a strategy must be shown. `a | b` is the union; the pipeline takes the union over all its strategies."""

    attention: tuple[int, ...] = ()  # layers whose attention from the text to the visual tokens is captured
    logits: bool = False  # response logits of the group
    tokens: bool = False  # embeddings of the visual tokens
    pixels: bool = False
    query: bool = False  # raw embeddings of the bare question
    prior: bool = False  # a probe of the question without any video

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            attention=tuple(sorted({*self.attention, *other.attention})),
            **{f.name: getattr(self, f.name) or getattr(other, f.name) for f in fields(self) if f.name != "attention"},
        )

    @property
    def probe(self) -> bool:
        """Whether a forward pass of the LLM over the group is needed."""
        return bool(self.attention) or self.logits

    @property
    def frames(self) -> bool:
        """Whether the frames of a group must be decoded before it can be scored."""
        return self.probe or self.tokens or self.pixels

    @property
    def nothing(self) -> bool:
        """Whether the group's layout alone is enough, so that nothing has to be decoded first."""
        return self == Needs()


@dataclass(frozen=True, repr=False)
class Probe(Value):
    """What a forward pass over a group with a question revealed; reading what was not asked raises `MissingNeed`."""

    rows: Mapping[str, Tensor]  # question, question_end, options, template, last: i64 indices into L
    option_ids: Tensor  # i64 [O], token ids of the option letters
    captured: Mapping[int, Tensor] = field(default_factory=dict)  # layer -> f32 [heads, L, N]
    response_logits: Tensor | None = None  # f32 [R, V], end-of-turn excluded, R >= 1
    response: tuple[int, ...] = ()  # ids that were decoded, end-of-turn excluded

    @property
    def attention(self) -> Mapping[int, Tensor]:
        """Layer -> f32 [heads, L, N], softmax over the full row, columns of the visual tokens."""
        if not self.captured:
            raise MissingNeed("probe.attention was not captured: declare needs = Needs(attention=(layer, ...))")
        return self.captured

    @property
    def logits(self) -> Tensor:
        """f32 [R, V] raw logits of the response tokens."""
        if self.response_logits is None:
            raise MissingNeed("probe.logits were not computed: declare needs = Needs(logits=True)")
        return self.response_logits


@dataclass(frozen=True, repr=False)
class GroupView(Value):
    """All that a scorer or a relevance estimator may look at: one group, one question."""

    group: Group
    question: Question
    layout: Layout
    seconds: Tensor  # f64 [Tg]
    shown_frames: Frames | None = None
    shown_tokens: Tokens | None = None
    shown_probe: Probe | None = None
    shown_query: Tensor | None = None
    shown_prior: Probe | None = None

    def _shown(self, value: Any, name: str, need: str) -> Any:
        if value is None:
            raise MissingNeed(f"view.{name} was not asked for: declare needs = Needs({need})")
        return value

    @property
    def frames(self) -> Frames:
        """Pixels u8 [Tg, F, 3, H, W]; needs `pixels`."""
        return self._shown(self.shown_frames, "frames", "pixels=True")

    @property
    def tokens(self) -> Tokens:
        """Tokens of the group, embeddings [N, D]; needs `tokens`."""
        return self._shown(self.shown_tokens, "tokens", "tokens=True")

    @property
    def probe(self) -> Probe:
        """What the forward pass revealed; needs `attention` or `logits`."""
        return self._shown(self.shown_probe, "probe", "attention=(layer,) or logits=True")

    @property
    def query(self) -> Tensor:
        """f32 [L, D] raw embeddings of the bare question; needs `query`."""
        return self._shown(self.shown_query, "query", "query=True")

    @property
    def prior(self) -> Probe:
        """A probe of the question without video; needs `prior`."""
        return self._shown(self.shown_prior, "prior", "prior=True")
