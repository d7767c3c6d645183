"""Small made-up values with all that a strategy could ask for, for the conformance kit and for tests. No model runs."""

from __future__ import annotations

import math

import torch

from framework.core.types import (
    Answer,
    Candidates,
    Frames,
    Group,
    Layout,
    Question,
    Relevance,
    ScoredGroup,
    Scores,
    Timeline,
    Tokens,
)
from framework.core.view import GroupView, Needs, Probe

ROWS, COLUMNS, CELL, WIDTH, VOCABULARY, HEADS, TEXT = 3, 4, 8, 16, 32, 4, 9
QUESTION = Question(
    "toy", "what is shown ?\nA red\nB blue\nC green\nD black", "what is shown ?", ("red", "blue", "green", "black")
)
OPEN_QUESTION = Question("toy-open", "what is shown ?", "what is shown ?", max_new_tokens=3)


def timeline(ticks: int, path: str = "toy.mp4") -> Timeline:
    """Makes a timeline of `ticks` ticks of two frames, one second apart."""
    return Timeline(path, torch.arange(ticks, dtype=torch.float64), torch.arange(2 * ticks).view(ticks, 2))


def layout(ticks: torch.Tensor) -> Layout:
    """Makes a layout: a 3 x 4 grid of cells of 8 x 8 pixels per tick."""
    row, column = torch.meshgrid(torch.arange(ROWS), torch.arange(COLUMNS), indexing="ij")
    return Layout(
        ticks.repeat_interleave(ROWS * COLUMNS),
        row.reshape(-1).repeat(len(ticks)),
        column.reshape(-1).repeat(len(ticks)),
        (CELL, CELL),
    )


def tokens(ticks: torch.Tensor, seed: int) -> Tokens:
    """Makes tokens with random embeddings [N, 16] on the grid of `layout`."""
    grid = layout(ticks)
    noise = torch.Generator().manual_seed(seed)
    return Tokens(torch.randn(len(grid), WIDTH, generator=noise), grid.tick, grid.row, grid.column, grid.tick.double())


def probe(needs: Needs, visual: int, question: Question, seed: int, certainty: float = 1.0, response: int = 2) -> Probe:
    """Makes a probe over `visual` tokens.

    `certainty` scales the logits: 0 is a uniform response, large is a certain one.
    """
    noise = torch.Generator().manual_seed(seed)
    attention = {
        layer: torch.softmax(2 * torch.randn(HEADS, TEXT, visual, generator=noise), -1) * 0.8
        for layer in needs.attention
    }
    logits = certainty * torch.randn(response, VOCABULARY, generator=noise)
    rows = {"question": [1, 2, 3], "question_end": [3], "options": [4, 5], "template": [0, 6, 7, 8], "last": [8]}
    return Probe(
        rows={name: torch.tensor(at) for name, at in rows.items()},
        option_ids=torch.arange(4, 4 + len(question.options)),
        captured=attention,
        response_logits=logits if needs.logits else None,
        response=tuple(logits.argmax(-1).tolist()) if needs.logits else (),
    )


def view(
    needs: Needs, seed: int = 0, ticks: int = 5, question: Question = QUESTION, certainty: float = 1.0
) -> GroupView:
    """Makes a view of a group of which only what `needs` names can be read."""
    noise = torch.Generator().manual_seed(seed)
    group = Group(seed, torch.arange(ticks) * 2 + seed)
    grid = layout(group.ticks)
    pixels = torch.randint(0, 256, (ticks, 2, 3, ROWS * CELL, COLUMNS * CELL), generator=noise, dtype=torch.uint8)
    return GroupView(
        group=group,
        question=question,
        layout=grid,
        seconds=group.ticks.double(),
        shown_frames=Frames(pixels, group.ticks.double()) if needs.pixels else None,
        shown_tokens=tokens(group.ticks, seed) if needs.tokens else None,
        shown_probe=probe(needs, len(grid), question, seed, certainty) if needs.probe else None,
        shown_query=torch.randn(4, WIDTH, generator=noise) if needs.query else None,
        shown_prior=probe(Needs(logits=True), 0, question, seed + 1) if needs.prior else None,
        shown_scores=Scores(torch.rand(len(grid), generator=noise)) if needs.scores else None,
    )


def scored_group(
    index: int, size: int, relevance: float, seed: int = 0, top_option: int = 0, refused: int = 0
) -> ScoredGroup:
    """Makes a visited group of `size` tokens, of which `refused` have the score -inf.

    Its entropy is minus its relevance. Its error falls by less with every token.
    """
    scores = torch.rand(size, generator=torch.Generator().manual_seed(seed))
    scores[:refused] = -math.inf
    left = (1 - math.exp(relevance)) / 3
    chances = tuple(math.exp(relevance) if i == top_option else left for i in range(4))
    signals = {
        "entropy": -relevance,
        "entropy_first": -relevance,
        "option_entropy": -relevance,
        "margin": chances[top_option] - left,
        "variance": 0.1,
        "log_probability": relevance,
        "outcomes": 4.0,
        "rho": 0.3,
        "top_option": float(top_option),
    }
    answer = Answer("ABCD"[top_option], top_option, chances, -relevance)
    return ScoredGroup(
        Group(index, torch.tensor([index])),
        scores,
        Relevance(relevance, -relevance, "nats"),
        signals,
        answer,
        errors=torch.linspace(1.0, 0.0, size - refused + 1) ** 2,
    )


def candidates(count: int, seed: int = 0) -> Candidates:
    """Makes `count` different candidates of three groups, in temporal order."""
    noise = torch.Generator().manual_seed(seed)
    ticks = torch.arange(math.ceil(count / (ROWS * COLUMNS)) + 2)
    at = torch.randperm(len(ticks) * ROWS * COLUMNS, generator=noise)[:count].sort().values
    return Candidates(
        tokens(ticks, seed)[at],
        torch.randint(0, 3, (count,), generator=noise),
        torch.rand(count, generator=noise),
        torch.rand(count, generator=noise),
        stride_seconds=3.0,
    )
