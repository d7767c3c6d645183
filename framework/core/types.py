"""The values that flow through the pipeline, from a video's timeline to an answer.

Every value is a frozen dataclass that checks itself when it is made and prints shapes instead of tensors. This file
imports torch and the base of values, and no model, strategy or configuration.

Shape letters: T ticks, Tg ticks in a group, F frames per tick, G groups, N tokens in a group, C candidates, K kept
tokens, L text tokens, D width, V vocabulary, R response tokens, O options.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

import torch
from torch import Tensor

from framework.core.value import Value, check, show


@dataclass(frozen=True, repr=False)
class Timeline(Value):
    """Says which frames of a file are looked at, and when they are shown. It holds no pixels."""

    path: str
    seconds: Tensor  # f64 [T], time of each tick, ascending: of its first frame, or as the backbone's `tick_time` says
    frames: Tensor  # i64 [T, F], frame numbers in the file

    def __post_init__(self) -> None:
        check(self.seconds.ndim == 1 and self.frames.ndim == 2, self, "seconds must be [T] and frames [T, F]")
        check(len(self.seconds) > 0, self, "a timeline needs at least one tick, got 0")
        check(len(self.seconds) == len(self.frames), self, f"{len(self.seconds)} times for {len(self.frames)} ticks")
        check(bool((self.seconds.diff() >= 0).all()), self, "seconds must ascend")

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def seconds_per_tick(self) -> float:
        """Returns the median distance between neighbouring ticks, in seconds; 1.0 for a single tick."""
        return float(self.seconds.diff().median()) if len(self) > 1 else 1.0


@dataclass(frozen=True, repr=False)
class Group(Value):
    """Holds ticks that are probed in one forward pass: an index set into the timeline, not a range."""

    index: int
    ticks: Tensor  # i64 [Tg], ascending
    hint: float | None = None  # from a declared, costed preview such as packet sizes; higher = look sooner

    def __post_init__(self) -> None:
        check(
            self.ticks.ndim == 1 and len(self.ticks) > 0,
            self,
            f"ticks must be [Tg] with Tg > 0, got {show(self.ticks)}",
        )
        check(bool((self.ticks.diff() > 0).all()), self, "ticks must ascend without duplicates")

    def __len__(self) -> int:
        return len(self.ticks)


@dataclass(frozen=True, repr=False)
class Frames(Value):
    """Holds the pixels of a group, already resized to what the backbone reads."""

    pixels: Tensor  # u8 [Tg, F, 3, H, W]
    seconds: Tensor  # f64 [Tg]

    def __post_init__(self) -> None:
        check(self.pixels.ndim == 5 and self.pixels.shape[2] == 3, self, "pixels must be [Tg, F, 3, H, W]")
        check(self.pixels.dtype == torch.uint8, self, f"pixels must be uint8, got {self.pixels.dtype}")
        check(len(self.pixels) == len(self.seconds), self, f"{len(self.pixels)} ticks for {len(self.seconds)} times")


@dataclass(frozen=True, repr=False)
class Layout(Value):
    """Describes the grid of tokens that `encode` would make of a group: where each lies in time and in the frame."""

    tick: Tensor  # i64 [N], index into the timeline
    row: Tensor  # i64 [N]
    column: Tensor  # i64 [N]
    cell_pixels: tuple[int, int]  # height and width of one token's cell in the resized frame

    def __post_init__(self) -> None:
        check(len(self.tick) == len(self.row) == len(self.column), self, "tick, row and column differ in length")

    def __len__(self) -> int:
        return len(self.tick)

    def __getitem__(self, index: Tensor) -> Layout:
        return Layout(self.tick[index], self.row[index], self.column[index], self.cell_pixels)


@dataclass(frozen=True, repr=False)
class Tokens(Value):
    """Holds visual embeddings that enter the LLM, each with its place in the whole video."""

    embeddings: Tensor  # [N, D]
    tick: Tensor  # i64 [N], index into the timeline, also inside a group
    row: Tensor  # i64 [N]
    column: Tensor  # i64 [N]
    seconds: Tensor  # f64 [N]
    extra: Mapping[str, Tensor] = field(default_factory=dict)  # what else a family carries per token, first axis N

    def __post_init__(self) -> None:
        sizes = {
            len(t) for t in (self.embeddings, self.tick, self.row, self.column, self.seconds, *self.extra.values())
        }
        check(len(sizes) == 1, self, "all fields must have the same N")

    def __len__(self) -> int:
        return len(self.tick)

    def __getitem__(self, index: Tensor) -> Tokens:
        """The tokens at `index` (i64 or bool [N])."""
        at = {f.name: getattr(self, f.name)[index] for f in fields(self) if f.name != "extra"}
        return Tokens(**at, extra={key: value[index] for key, value in self.extra.items()})

    def to(self, device: torch.device | str) -> Tokens:
        """Returns the same tokens on another device."""
        moved = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "extra"}
        return Tokens(**moved, extra={key: value.to(device) for key, value in self.extra.items()})

    @staticmethod
    def cat(parts: list[Tokens]) -> Tokens:
        """Joins all tokens of `parts`, one part after the other. Raises ValueError where there is no part."""
        check(len(parts) > 0, parts, "no tokens to join")
        joined = {f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Tokens) if f.name != "extra"}
        return Tokens(**joined, extra={key: torch.cat([p.extra[key] for p in parts]) for key in parts[0].extra})


@dataclass(frozen=True, repr=False)
class Question(Value):
    """Holds what is asked: the exact text that the model reads, and the question alone."""

    id: str
    prompt: str  # the exact user text, options and instruction included
    bare: str  # the question alone, contained in the prompt
    options: tuple[str, ...] = ()  # empty: open-ended
    cue: str = ""  # start of the answer, placed after the assistant header
    max_new_tokens: int = 1

    def __post_init__(self) -> None:
        check(bool(self.bare.strip()), self, "the question is empty (key: question)")
        check(self.bare in self.prompt, self, "`prompt` must contain `bare` word for word")
        check(len(self.options) != 1, self, f"one option is no choice: {self.options} (key: options)")
        check(len(self.options) <= 26, self, f"at most 26 options have letters, got {len(self.options)} (key: options)")
        check(self.max_new_tokens >= 1, self, f"max_new_tokens must be >= 1, got {self.max_new_tokens}")

    @property
    def letters(self) -> tuple[str, ...]:
        """Returns the letters A, B, C, ... of the options, one each."""
        return tuple(chr(ord("A") + i) for i in range(len(self.options)))


@dataclass(frozen=True, repr=False)
class Scores(Value):
    """Holds one number per token of a group: higher = keep, -inf = never keep."""

    values: Tensor  # f32 [N]
    signals: Mapping[str, float] = field(default_factory=dict)
    errors: Tensor | None = None  # f32 [K + 1], K <= N: what the best 0, 1, .. K leave unexplained; 1 = keeping none

    def __post_init__(self) -> None:
        check(self.values.ndim == 1, self, f"values must be [N], got {show(self.values)}")
        check(self.values.dtype == torch.float32, self, f"values must be float32, got {self.values.dtype}")
        if not bool((self.values < math.inf).all()):  # one question to the device, of which the answer is waited for
            check(not bool(self.values.isnan().any()), self, "values contain NaN")
            check(False, self, "values contain +inf")
        if self.errors is not None:
            falls = self.errors.ndim == 1 and bool((self.errors.diff() <= 0).all()) and bool((self.errors >= 0).all())
            check(falls, self, "errors must be [K + 1], >= 0 and never growing")
            usable = int((self.values > -math.inf).sum())
            check(1 <= len(self.errors) <= usable + 1, self, f"{len(self.errors)} errors for {usable} usable tokens")


@dataclass(frozen=True, repr=False)
class Relevance(Value):
    """Says how relevant a group is, comparable across groups: -ln(options) = uniform, 0 = certain."""

    value: float  # higher = more relevant
    raw: float
    unit: str

    def __post_init__(self) -> None:
        check(not math.isnan(self.value) and not math.isnan(self.raw), self, "NaN")


@dataclass(frozen=True, repr=False)
class Answer(Value):
    """Holds what the model answered."""

    text: str
    choice: int | None = None  # index of the option
    probabilities: tuple[float, ...] = ()  # of the options; sums to 1
    entropy: float | None = None  # nats, full vocabulary, first response token


@dataclass(frozen=True, repr=False)
class ScoredGroup(Value):
    """Holds a visited group with its scores and its relevance, for one question."""

    group: Group
    scores: Tensor  # f32 [N] of the tokens that were encoded
    relevance: Relevance
    signals: Mapping[str, float] = field(default_factory=dict)  # entropy, margin, variance, log_probability, top_option
    answer: Answer | None = None  # the group's own answer, when logits were probed
    comparable: bool = False  # whether the scores compare across groups
    errors: Tensor | None = None  # f32 [K + 1], see `Scores`; None: the scorer reconstructs nothing

    def __post_init__(self) -> None:
        check(self.scores.ndim == 1 and not bool(self.scores.isnan().any()), self, "scores must be [N] without NaN")

    @cached_property
    def usable(self) -> int:
        """Returns how many tokens may be kept: those whose score is not -inf."""
        return int((self.scores > -math.inf).sum())


@dataclass(frozen=True, repr=False)
class Candidates(Value):
    """Holds the over-selected tokens of all groups, in temporal order, for the refiner."""

    tokens: Tokens  # where the backbone is; all else is on the CPU
    group: Tensor  # i64 [C], index of the group each comes from
    score: Tensor  # f32 [C]
    weight: Tensor  # f32 [C], the group's share of the budget
    stride_seconds: float  # typical distance between neighbouring ticks of one group
    clock: Tensor | None = None  # f64 [T], times of all ticks of the video

    def __post_init__(self) -> None:
        sizes = {len(self.tokens), len(self.group), len(self.score), len(self.weight)}
        check(len(sizes) == 1, self, "all fields must have the same C")

    def __len__(self) -> int:
        return len(self.tokens)


@dataclass(frozen=True, repr=False)
class Selection(Value):
    """Holds the kept tokens, in temporal order."""

    tokens: Tokens
    group: Tensor  # i64 [K]
    budget: int
    clock: Tensor | None = None  # f64 [T], times of all ticks of the video, kept or not; None: the kept ones are all

    def __post_init__(self) -> None:
        check(len(self.tokens) == len(self.group), self, f"{len(self.tokens)} tokens with {len(self.group)} groups")
        check(len(self.tokens) <= self.budget, self, f"{len(self.tokens)} tokens exceed the budget of {self.budget}")
        place = torch.stack([self.tokens.tick, self.tokens.row, self.tokens.column])
        check(place.unique(dim=1).shape[1] == len(self.tokens), self, "a token is kept twice")
        check(bool((self.tokens.tick.diff() >= 0).all()), self, "tokens are not in temporal order")

    def __len__(self) -> int:
        return len(self.tokens)

    def to(self, device: torch.device | str) -> Selection:
        """Returns the same selection with its tokens on another device."""
        return self if self.tokens.tick.device == torch.device(device) else replace(self, tokens=self.tokens.to(device))

    @property
    def end_seconds(self) -> float | None:
        """Returns the time of the video's last tick, which text may have to follow; None where it is not known."""
        return None if self.clock is None else float(self.clock[-1])

    @property
    def end_tick(self) -> int | None:
        """Returns the same as an index of the timeline."""
        return None if self.clock is None else len(self.clock) - 1

    @staticmethod
    def of(candidates: Candidates, keep: Tensor, budget: int) -> Selection:
        """Takes the candidates at `keep` (i64 or bool [C]) and puts them into temporal order."""
        tokens, group = candidates.tokens[keep], candidates.group[keep]
        order = torch.arange(len(tokens))
        for key in (tokens.column, tokens.row, tokens.tick):  # stable sorts, the last key decides first
            order = order[key.cpu()[order].argsort(stable=True)]
        return Selection(tokens[order], group[order], budget, candidates.clock)
