"""The highest use of memory while questions about a lab film are answered, in a process that does nothing else.

    python -m framework.profiling.peak < what.json

Linux says apart how much of a process's memory is its own (anonymous) and how much is shared; the spool's is shared.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import torch

import framework
from framework.config.compose import compose_root, words_of
from framework.config.parts import build_pipeline
from framework.core.types import Question

STATUS = Path("/proc/self/status")
EVERY_SECONDS = 0.005


class Peak(NamedTuple):
    """Holds the most bytes at any moment."""

    anonymous: int
    with_spool: int


def of_process(preset: str, path: str, asked: Sequence[Question], frames: int) -> Peak:
    """Answers questions in a process of its own, and returns its peak. Raises RuntimeError where that fails."""
    told = {"preset": preset, "path": path, "frames": frames, "threads": torch.get_num_threads()}
    text = json.dumps({**told, "questions": [asdict(question) for question in asked]})
    root = str(Path(framework.__file__).parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    words = [sys.executable, "-m", "framework.profiling.peak"]
    done = subprocess.run(words, input=text, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths})
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise RuntimeError(f"the process that answered about {frames} frames failed ({done.returncode}): {last}")
    return Peak(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def watching(read: Callable[[], Peak]) -> Iterator[list[Peak]]:
    """Reads the use of memory again and again inside the block; the list then holds one peak."""
    seen, ended, found = [read()], threading.Event(), list[Peak]()

    def watch() -> None:
        while not ended.wait(EVERY_SECONDS):
            seen.append(read())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()
        seen.append(read())
        found.append(Peak(max(one.anonymous for one in seen), max(one.with_spool for one in seen)))


def used() -> Peak:
    """Returns what this process uses now."""
    told = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
    anonymous, shared = (int(told[key].split()[0]) * 1024 for key in ("RssAnon", "RssShmem"))
    return Peak(anonymous, anonymous + shared)


def main() -> None:
    """Reads what to do from standard input, and prints the peak as JSON."""
    told = json.load(sys.stdin)
    torch.set_num_threads(told["threads"])
    asked = [Question(**{**one, "options": tuple(one["options"])}) for one in told["questions"]]
    pipeline = build_pipeline(
        compose_root(words_of({"preset": told["preset"], "frames": told["frames"]})), told["path"]
    )
    with watching(used) as found:
        pipeline.answer(told["path"], asked)
    print(json.dumps(found[0]._asdict()))


if __name__ == "__main__":
    main()
