"""The peak of a run on a model with random weights, in a process that does nothing else.

    python -m framework.profiling.fit_process < what.json

What Python and the libraries take is measured on the lab model first, and left out.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig

import framework
from framework.config.compose import compose_root
from framework.config.parts import build_backbone, prompt_template
from framework.profiling.noise import NoiseReader, questions
from framework.profiling.setting import VIDEO, pipeline

STATUS = Path("/proc/self/status")


def of_process(words: Sequence[str], frames: int, size: tuple[int, int], many: int, long: int) -> int:
    """Returns the bytes that a run takes at its peak. Raises RuntimeError where its process fails.

    `words` configure it; `size` is that of the frames in pixels; it is asked `many` questions of `long` words.
    """
    told = {"words": [*words], "frames": frames, "size": size, "many": many, "long": long}
    told["threads"] = torch.get_num_threads()
    root = str(Path(framework.__file__).parents[1])
    paths = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "framework.profiling.fit_process"]
    done = subprocess.run(
        command, input=json.dumps(told), capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it was killed"])[-1]
        raise RuntimeError(f"the process that was to be measured failed ({done.returncode}): {last}")
    return int(done.stdout.splitlines()[-1])


def resident(key: str) -> int:
    """Returns what this process holds in RAM, in bytes: now (VmRSS), or at its peak (VmHWM)."""
    told = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
    return int(told[key].split()[0]) * 1024


def _answer(cfg: DictConfig, frames: int, size: tuple[int, int], many: int, long: int) -> None:
    of = pipeline(cfg, NoiseReader(frames, *size), lambda: build_backbone(cfg))
    of.answer(VIDEO, questions(many, long, prompt_template(cfg)))


def main() -> None:
    """Reads what to do from standard input, and prints the bytes of the peak."""
    told = json.load(sys.stdin)
    torch.set_num_threads(told["threads"])
    _answer(compose_root(["preset=adapttoken"]), 16, (112, 112), 1, 8)
    gc.collect()
    before = resident("VmRSS")
    size = (int(told["size"][0]), int(told["size"][1]))
    _answer(compose_root(told["words"]), told["frames"], size, told["many"], told["long"])
    print(resident("VmHWM") - before)


if __name__ == "__main__":
    main()
