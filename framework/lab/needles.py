"""Long videos with needles: each question is decided by needles of its own, and by nothing else in the video.

The objects in between (distractors) share everything with the needles except what a question asks for: an object that a
question's key means is never a distractor. It knows nothing of pixels or files.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from framework.lab.queries import COUNTS, DIRECTIONS, SPLITS, STEPS, ZONES, Key, Query
from framework.lab.questions import Evidence, LabQuestion, pose
from framework.lab.scene import Scene, background, cross, scatter, track
from framework.lab.world import COLOURS, FRAMES_PER_TICK, SHAPES, SIZES

MOST_QUESTIONS = 5  # more would leave no shapes and colours for the distractors
TWINS = 3  # decoys of a conjunction: the same shape (or colour) in the other size, with another answer
DISTRACTOR_LIFE = (2, 8)  # frames
EDGE = 0.05  # a needle of `when` keeps this share of the video away from the borders of its third
EARLY, LATE = 0.4, 0.6  # of two needles one ends before the first share of the video, one starts after the second


def needle_scene(
    generator: np.random.Generator,
    split: str,
    frames: int,
    questions: int,
    span: int,
    opacity: float,
    noise: float,
    density: float,
    options: int = 4,
) -> tuple[Scene, list[LabQuestion]]:
    """Draws a video of `frames` frames with needles that live `span` frames, and its questions.

    `opacity` (0..1) is that of the needles. `noise` is the standard deviation of a pixel (0..1). `density` is the share
    of places filled with distractors. Those of `wide` live about as long as needles do: half as long to half as long
    again. Raises ValueError for values that do not fit, and where there is no room for a needle.
    """
    _check(split, frames, questions, span)
    queries = _queries(generator, split, questions)
    keys = [key for query in queries for key in query.keys]
    grid = queries[0].grid
    taken = np.zeros((frames, grid**2), bool)
    life = (span // 2, span + span // 2) if split == "wide" else DISTRACTOR_LIFE
    tracks, posed = [], []

    def place(thing: np.ndarray, low: int, high: int) -> Evidence:
        start, cell = _free(generator, low, high, span, taken)
        taken[start : start + span, cell] = True
        shape, colour, size = thing.tolist()
        tracks.append(track(generator, shape, colour, size, cell, start, span, opacity))
        return Evidence(start, span, cell)

    for query in queries:
        things = _things(generator, query, keys)
        truth, bounds = _plan(generator, query, things, frames, span)
        evidence = tuple(place(thing, *bound) for thing, bound in zip(things, bounds, strict=True))
        if split == "direction":
            cross(generator, tracks[-1], *STEPS[truth[0]])
        decoys = []
        if split == "conjunction":
            for _ in range(TWINS):
                twin = _twin(generator, query.keys[0], things[0], keys)
                place(twin, 0, frames - span)
                decoys.append(int(twin[_other(query.keys[0])]))
        posed.append(pose(generator, query, truth, options, decoys, evidence))

    def distractor() -> tuple[int, int, int, float]:
        shape, colour, size = _unasked(generator, keys).tolist()
        return shape, colour, size, 1.0

    tracks.append(scatter(generator, frames, density, life, True, distractor, taken))
    ground, grain = background(generator), int(generator.integers(2**31))
    return Scene(frames, np.concatenate(tracks), ground, noise, grain, split == "direction", grid), posed


def _check(split: str, frames: int, questions: int, span: int) -> None:
    if split not in SPLITS:
        raise ValueError(f"split={split!r} is unknown; use one of {', '.join(SPLITS)}")
    if not 1 <= questions <= MOST_QUESTIONS:
        raise ValueError(
            f"questions={questions}: a video holds 1 to {MOST_QUESTIONS} questions with needles of their own"
        )
    if span % FRAMES_PER_TICK or span < FRAMES_PER_TICK:
        raise ValueError(f"span_frames={span}: a needle lives whole ticks, use an even number of at least 2")
    if split == "direction" and span < 2 * FRAMES_PER_TICK:
        raise ValueError(f"span_frames={span}: a needle that moves needs two ticks, use at least {2 * FRAMES_PER_TICK}")
    if frames % FRAMES_PER_TICK or frames < span:
        raise ValueError(f"frames={frames}: needles of {span} frames need an even number of at least {span}")


def _queries(generator: np.random.Generator, split: str, questions: int) -> list[Query]:
    """Queries over different shapes and different colours, of both kinds in turn."""
    shapes, colours = (generator.permutation(len(names)).tolist() for names in (SHAPES, COLOURS))
    per_query = 2 if split in ("two_evidence", "order") else 1
    queries = []
    for number in range(questions):
        attribute, values = ("shape", shapes) if number % 2 == 0 else ("colour", colours)
        size = int(generator.integers(len(SIZES))) if split == "conjunction" else None
        queries.append(Query(split, tuple(Key(attribute, int(values.pop()), size) for _ in range(per_query))))
    return queries


def _other(key: Key) -> int:
    """Index of the asked attribute in (shape, colour, size)."""
    return 1 if key.attribute == "shape" else 0


def _any_object(generator: np.random.Generator) -> np.ndarray:
    return np.array([generator.integers(len(names)) for names in (SHAPES, COLOURS, SIZES)])


def _unasked(generator: np.random.Generator, keys: list[Key]) -> np.ndarray:
    """An object that no key means: i64 [3]."""
    while True:
        thing = _any_object(generator)
        if not any(key.matches(thing) for key in keys):
            return thing


def _object(generator: np.random.Generator, key: Key, keys: list[Key]) -> np.ndarray:
    """An object that this key means and no other: i64 [3]."""
    while True:
        thing = _any_object(generator)
        thing[1 - _other(key)] = key.value
        if key.size is not None:
            thing[2] = key.size
        if not any(other.matches(thing) for other in keys if other != key):
            return thing


def _things(generator: np.random.Generator, query: Query, keys: list[Key]) -> list[np.ndarray]:
    """The needles of a query: one per key; of `count` one to four, each with another answer."""
    if query.split != "count":
        return [_object(generator, key, keys) for key in query.keys]
    (key,) = query.keys
    number = int(generator.integers(len(COUNTS))) + 1
    found: dict[int, np.ndarray] = {}
    while len(found) < number:
        thing = _object(generator, key, keys)
        found.setdefault(int(thing[_other(key)]), thing)
    return list(found.values())


def _twin(generator: np.random.Generator, key: Key, needle: np.ndarray, keys: list[Key]) -> np.ndarray:
    """A decoy: like the needle, but of the other size and with another answer."""
    while True:
        thing = _any_object(generator)
        thing[1 - _other(key)] = key.value
        thing[2] = 1 - needle[2]
        if thing[_other(key)] != needle[_other(key)] and not any(other.matches(thing) for other in keys):
            return thing


def _plan(
    generator: np.random.Generator, query: Query, things: list[np.ndarray], frames: int, span: int
) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    """The truth of a query, and for each of its needles the first frames it may start at (lowest, highest)."""
    last = frames - span
    if query.split == "when":
        zone = int(generator.integers(len(ZONES)))
        low, high = (zone / len(ZONES) + EDGE) * frames, ((zone + 1) / len(ZONES) - EDGE) * frames - span
        return (zone,), [(int(low), int(high))]
    if query.split == "direction":
        return (int(generator.integers(len(DIRECTIONS))),), [(0, last)]
    if query.split == "count":  # far apart: each in a part of its own
        parts = np.linspace(0, frames, len(things) + 1).astype(int).tolist()
        return (len(things) - 1,), [(low, high - span) for low, high in pairwise(parts)]
    if len(query.keys) == 1:
        return (int(things[0][_other(query.keys[0])]),), [(0, last)]
    bounds = [(0, int(EARLY * frames) - span), (int(LATE * frames), last)]
    swap = int(generator.integers(2))
    if query.split == "order":
        return (swap,), bounds[::-1] if swap else bounds
    answers = tuple(int(thing[_other(key)]) for key, thing in zip(query.keys, things, strict=True))
    return answers, bounds[::-1] if swap else bounds


def _free(generator: np.random.Generator, low: int, high: int, span: int, taken: np.ndarray) -> tuple[int, int]:
    """A first frame within the bounds, on a tick, and a cell that is free for the whole span."""
    filled = np.concatenate([np.zeros((1, taken.shape[1]), np.int64), np.cumsum(taken, axis=0)])
    starts = np.arange(-(-low // FRAMES_PER_TICK), high // FRAMES_PER_TICK + 1) * FRAMES_PER_TICK
    places = np.argwhere(filled[starts + span] == filled[starts])  # [P, 2] of start and cell
    if not len(places):
        raise ValueError(
            f"no room for a needle of {span} frames within a video of {len(taken)}: use more frames or fewer questions"
        )
    start, cell = places[generator.integers(len(places))]
    return int(starts[start]), int(cell)
