"""What a strategy asks for, and what it is shown: needs, probes and the view of one group with one question.

Reading what was not asked for raises `MissingNeed`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from torch import Tensor

from framework.core.types import Frames, Group, Layout, Question, Scores, Tokens
from framework.core.value import Value


class MissingNeed(AttributeError):
    """Says that a strategy read something of a group that it had not asked for in its `needs`."""


@contextmanager
def shown_to(strategy: object) -> Iterator[None]:
    """Lets a `MissingNeed` raised inside name the strategy that did not declare it."""
    try:
        yield
    except MissingNeed as error:
        raise MissingNeed(f"{type(strategy).__name__}: {error}") from error


@dataclass(frozen=True)
class Needs:
    """Says what a strategy must be shown. `a | b` is the union; the pipeline takes that of all its strategies."""

    attention: tuple[int, ...] = ()  # layers whose attention from the text to the visual tokens is captured
    logits: bool = False  # response logits of the group
    tokens: bool = False  # embeddings of the visual tokens
    pixels: bool = False
    query: bool = False  # raw embeddings of the bare question
    prior: bool = False  # a probe of the question without any video
    scores: bool = False  # what the scorer made of the group; for relevance estimators

    def __or__(self, other: Needs) -> Needs:
        return Needs(
            attention=tuple(sorted({*self.attention, *other.attention})),
            **{f.name: getattr(self, f.name) or getattr(other, f.name) for f in fields(self) if f.name != "attention"},
        )

    @property
    def probe(self) -> bool:
        """Says whether a forward pass of the LLM over the group is needed."""
        return bool(self.attention) or self.logits

    @property
    def frames(self) -> bool:
        """Says whether the frames of a group must be decoded before it can be scored."""
        return self.probe or self.tokens or self.pixels

    @property
    def nothing(self) -> bool:
        """Says whether the group's layout alone is enough, so that nothing has to be decoded first."""
        return self == Needs()


@dataclass(frozen=True, repr=False)
class Probe(Value):
    """Holds what a forward pass over a group with a question revealed.

    Reading what was not asked for raises `MissingNeed`.
    """

    rows: Mapping[str, Tensor]  # question, question_end, options, template, last: i64 indices into L
    option_ids: Tensor  # i64 [O], token ids of the option letters
    captured: Mapping[int, Tensor] = field(default_factory=dict)  # layer -> f32 [heads, L, N]
    response_logits: Tensor | None = None  # f32 [R, V], end-of-turn excluded, R >= 1
    response: tuple[int, ...] = ()  # ids that were decoded, end-of-turn excluded
    computed: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)  # from it, once

    @property
    def attention(self) -> Mapping[int, Tensor]:
        """Returns the attention from the text to the visual tokens: layer -> f32 [heads, L, N].

        The softmax is over the full row, and the columns are those of the visual tokens. Raises MissingNeed where it
        was not captured.
        """
        if not self.captured:
            raise MissingNeed("probe.attention was not captured: declare needs = Needs(attention=(layer, ...))")
        return self.captured

    @property
    def logits(self) -> Tensor:
        """Returns the raw logits of the response tokens, f32 [R, V]. Raises MissingNeed where there are none."""
        if self.response_logits is None:
            raise MissingNeed("probe.logits were not computed: declare needs = Needs(logits=True)")
        return self.response_logits


@dataclass(frozen=True, repr=False)
class GroupView(Value):
    """Holds all that a scorer or a relevance estimator may look at: one group, one question."""

    group: Group
    question: Question
    layout: Layout
    seconds: Tensor  # f64 [Tg]
    shown_frames: Frames | None = None
    shown_tokens: Tokens | None = None
    shown_probe: Probe | None = None
    shown_query: Tensor | None = None
    shown_prior: Probe | None = None
    shown_scores: Scores | None = None

    def _shown(self, value: Any, name: str, need: str) -> Any:
        if value is None:
            raise MissingNeed(f"view.{name} was not asked for: declare needs = Needs({need})")
        return value

    @property
    def frames(self) -> Frames:
        """Returns the frames of the group, pixels u8 [Tg, F, 3, H, W]. Ask for them with `Needs(pixels=True)`."""
        return self._shown(self.shown_frames, "frames", "pixels=True")

    @property
    def tokens(self) -> Tokens:
        """Returns the tokens of the group, embeddings [N, D]. Ask for them with `Needs(tokens=True)`."""
        return self._shown(self.shown_tokens, "tokens", "tokens=True")

    @property
    def probe(self) -> Probe:
        """Returns what the forward pass revealed. Ask for it with `attention` or `logits` in `Needs`."""
        return self._shown(self.shown_probe, "probe", "attention=(layer,) or logits=True")

    @property
    def query(self) -> Tensor:
        """Returns the raw embeddings of the bare question, f32 [L, D]. Ask for them with `Needs(query=True)`."""
        return self._shown(self.shown_query, "query", "query=True")

    @property
    def prior(self) -> Probe:
        """Returns a probe of the question without video. Ask for it with `Needs(prior=True)`."""
        return self._shown(self.shown_prior, "prior", "prior=True")

    @property
    def scores(self) -> Scores:
        """Returns what the scorer made of the group. Relevance estimators ask for it with `Needs(scores=True)`."""
        return self._shown(self.shown_scores, "scores", "scores=True")
