"""How much memory a run needs, by sizes alone: weights, keys and values, features, passes, parked tokens. Pure.

The largest tensors that live at the same time are added up, stage by stage:

    encode   a pass of the tower over some ticks, and the tokens of a group
    probe    tokens and keys of a group, and one of: the pass of its prefix, attention of text rows, the questions' pass
    answer   candidates of all groups, then the same passes over the kept tokens

On a device lie its weights and the largest stage; in RAM lies what waits between stages.
"""

from __future__ import annotations

from dataclasses import dataclass

from framework.backbones.grid import PATCHES_PER_PASS
from framework.backbones.shape import Shape

FLOAT = 4  # bytes
START = 32  # text tokens before a video
TRIMMED = 2  # a parked group holds at most so many times what may be wanted of it
PICTURE = 3  # bytes of a pixel


@dataclass(frozen=True)
class Run:
    """Holds what is looked at and asked, as far as memory depends on it."""

    ticks: int  # of the video
    group: int  # ticks of the largest group, as they are encoded
    frames_per_tick: int
    height: int  # of a resized frame, in pixels
    width: int
    tokens: int  # of a tick
    tick_text: float  # tokens of text around a tick
    budget: int
    candidates: int  # tokens that the refiner is given
    questions: int  # about one video
    per_pass: int  # questions that share a pass
    rows: int  # text tokens of a question
    layers: tuple[int, ...]  # whose attention is captured
    logits: bool  # of groups
    item: int  # bytes of a number of the model
    repeated: bool = False  # keys of a prefix are repeated for each question and head

    @property
    def group_tokens(self) -> int:
        """Counts the visual tokens of the largest group."""
        return self.group * self.tokens

    @property
    def kept(self) -> int:
        """Counts the visual tokens of the final pass."""
        return min(self.budget, self.ticks * self.tokens)

    @property
    def kept_ticks(self) -> int:
        """Counts the ticks that may hold a kept token."""
        return min(self.ticks, self.kept)


@dataclass(frozen=True)
class Memory:
    """Holds bytes."""

    weights: int
    stages: dict[str, dict[str, int]]  # stage -> what lives at its peak
    parked: int  # embeddings that wait, in RAM
    pixels: int  # frames that wait for their group, in RAM

    @property
    def worst(self) -> str:
        """Names the stage that needs most."""
        return max(self.stages, key=lambda stage: sum(self.stages[stage].values()))

    @property
    def device(self) -> int:
        """Computes the peak of a device that holds all of the model."""
        return self.weights + sum(self.stages[self.worst].values())

    @property
    def host(self) -> int:
        """Computes what waits in RAM beside a device of its own."""
        return self.parked + self.pixels


def predict(shape: Shape, run: Run) -> Memory:
    """Computes the memory of a run on one device."""
    all_tokens = run.ticks * run.tokens
    parked = min(TRIMMED * run.candidates, all_tokens)
    frame = PICTURE * run.height * run.width * run.frames_per_tick
    stages = {"encode": _encode(shape, run), "answer": _answer(shape, run)}
    if run.layers or run.logits:
        stages["probe"] = _probe(shape, run)
    return Memory(
        weights=shape.parameters * run.item,
        stages=stages,
        parked=parked * shape.token_bytes(run.item) + FLOAT * all_tokens * run.questions,
        pixels=min(run.ticks, 2 * run.group) * frame,
    )


def _encode(shape: Shape, run: Run) -> dict[str, int]:
    """A pass of the tower; before it, pixels become numbers."""
    tower = shape.tower
    per_tick = round(run.tokens * tower.patches_per_token) + tower.class_tokens
    ticks = max(1, min(run.group, PATCHES_PER_PASS // per_tick))
    rows = ticks * per_tick
    pixels = rows * tower.patch_values * (FLOAT + run.item)
    blocks = rows * run.item * (4 * tower.width + 3 * tower.inner)
    return {
        "features": run.group_tokens * shape.token_bytes(run.item),
        "tower": max(pixels + rows * tower.width * run.item, blocks),
    }


def _probe(shape: Shape, run: Run) -> dict[str, int]:
    """The prefix of a group, then its questions. Without logits a pass ends at the last layer that is asked."""
    depth = shape.layers if run.logits else max(run.layers)
    prefix = START + run.group_tokens + round(run.group * run.tick_text)
    captured = [layer for layer in run.layers if layer in shape.attention]
    rows = len(captured) * shape.heads * run.rows * run.group_tokens * FLOAT
    return {
        "features": run.group_tokens * shape.token_bytes(run.item),
        "keys and values": prefix * shape.cache_bytes(run.item, depth) + shape.states * FLOAT,
        "captured": len(captured) * prefix * shape.key_heads * shape.head * run.item + run.questions * rows,
        "pass": max(_prefix_pass(shape, run, prefix), _capture(shape, run, prefix), _questions(shape, run, prefix)),
    }


def _answer(shape: Shape, run: Run) -> dict[str, int]:
    """The candidates are compared in fp32; then the kept ones are read."""
    prefix = START + run.kept + round(run.kept_ticks * run.tick_text)
    caches = prefix * shape.cache_bytes(run.item) + shape.states * FLOAT
    compared = run.candidates * shape.width * 2 * FLOAT  # before there are any caches
    return {
        "features": (run.candidates + run.kept) * shape.token_bytes(run.item),
        "keys and values": caches,
        "pass": max(compared - caches, _prefix_pass(shape, run, prefix)),
    }


def _prefix_pass(shape: Shape, run: Run, rows: int) -> int:
    """One layer over the prefix: what enters it, and the larger of attention and feed-forward."""
    queries, keys = shape.heads * shape.head, shape.key_heads * shape.head
    attention = 4 * queries + 4 * keys
    return rows * run.item * (3 * shape.width + max(attention, 3 * shape.inner))


def _capture(shape: Shape, run: Run, prefix: int) -> int:
    """Attention of one question's rows in one layer, in fp32: scores, scaled and after the softmax; and keys."""
    if not run.layers:
        return 0
    seen = prefix + run.rows
    return FLOAT * seen * (3 * shape.heads * run.rows + 2 * shape.key_heads * shape.head)


def _questions(shape: Shape, run: Run, prefix: int) -> int:
    """Questions that share a pass, after the prefix."""
    many = min(run.per_pass, run.questions)
    rows = many * run.rows
    own = rows * shape.cache_bytes(run.item) + many * shape.states * FLOAT + many * shape.vocabulary * 2 * FLOAT
    repeated = many * prefix * 2 * (shape.key_heads + shape.heads) * shape.head * run.item if run.repeated else 0
    return own + _prefix_pass(shape, run, rows) + repeated
