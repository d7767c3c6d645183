"""What is watched changes no answer; bytes are counted by hand; other threads do not count."""

from __future__ import annotations

import threading
from collections.abc import Callable

from omegaconf import DictConfig

from framework.benchmarks.base import VideoItem
from framework.config.parts import build_pipeline
from framework.profiling.watch import IN_LOOK, Watch, nbytes, watched
from framework.testing import toys


def test_an_answer_is_watched_from_outside(composed: Callable[..., DictConfig], needle_video: VideoItem) -> None:
    pipeline = build_pipeline(composed("preset=adapttoken", "budget=8"))
    asked = [item.question for item in needle_video.items[:2]]
    watch, total = watched(pipeline, needle_video.path, asked)
    stages = {*IN_LOOK} - {"prior"} | {"timeline", "allocate", "refine", "answer"}
    assert set(watch.stages) == stages == set(watch.spent())
    assert set(watch.places) == {"look", "park", "refiner"}
    assert watch.places["look"] >= sum(watch.stages[stage] for stage in IN_LOOK)
    assert total >= watch.places["look"] + watch.stages["refine"]
    assert len(watch.candidates) == 2
    token = 4 * 128 + 4 * 8 + 8  # bytes: embedding, places, extent
    assert all(8 <= size / token <= 8 * 1.1 + 5 and size % token == 0 for size in watch.candidates)  # 5 groups round up
    assert watch.held % token == 0 and watch.held >= max(watch.candidates)


def test_other_threads_do_not_count() -> None:
    watch = Watch()

    def work() -> None:
        with watch.place("look"):
            sum(range(10_000))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert "look" not in watch.places
    work()
    assert watch.places["look"] > 0


def test_bytes_of_tokens() -> None:
    tokens = toys.tokens(toys.timeline(2).frames[:, 0], 0)  # 2 ticks of 3 x 4 tokens of width 16
    assert nbytes(tokens) == 24 * (4 * 16 + 4 * 8)
