"""`sieve ask` on a real clip with a tiny checkpoint of every family, under every preset: answered, or refused and why.

python -m tests.framework.backbones.ask                    all of them, as the table of docs/backbones.md
python -m tests.framework.backbones.ask qwen3_vl           families by name
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from framework.config import plugins
from tests.fixtures.command_line import Ran, sieve
from tests.framework.backbones.conformance.families import FAMILIES

CLIP = Path(__file__).parents[2] / "data" / "video" / "nasa_13013.mp4"  # 320 x 180, 13 s
OPTIONS = {  # family under test -> the option of conf/backbone that real checkpoints of its kind are asked with
    "qwen2_5_vl": "qwen2_5_vl_7b",
    "qwen3_vl": "qwen3_vl_8b",
    "qwen3_vl_moe": "qwen3_vl_30b_a3b",
    "qwen3_5": "qwen3_5_9b",
    "qwen3_5_moe": "qwen3_5_9b",
    "internvl qwen2": "internvl3_8b",
    "internvl qwen3": "internvl3_5_8b",
    "internvl llama": "internvl2_5_8b",
    "llava_onevision": "llava_onevision_7b",
    "llava_video": "llava_video_7b",
}
PRESETS = tuple(plugins.options("preset"))
SMALL = {  # what belongs to a real checkpoint's size
    "backbone.adapter.dtype": "float32",
    "backbone.adapter.device": "cpu",
    "backbone.reference_layer": 3,
    "backbone.group_ticks": 4,
    "backbone.frames": 16,
    "backbone.stock.frames": 16,
    "backbone.budget": 12,
    "qtsplus.checkpoint": "random:0",
}
OF_STOCK = ("backbone.frames", "backbone.budget")  # which preset=stock sets itself
NATIVE = (3136, 16384)  # min_pixels and max_pixels of families whose frames keep their aspect


@dataclass(frozen=True)
class Asked:
    """What came of one question: the answer, or one sentence."""

    status: int  # of the command
    choice: int | None
    said: str  # what was printed, or the one sentence


@cache
def _words(family: str) -> tuple[str, ...]:
    """The command line of a family, without its preset."""
    tiny = next(one for one in FAMILIES if one.name == family)
    square = 2 * (tiny.height * tiny.width,)
    least, most = square if tiny.frames_per_tick == 1 else NATIVE
    pixels = {
        f"backbone.{node}.{key}": value
        for node in ("adapter", "stock")
        for key, value in (("min_pixels", least), ("max_pixels", most))
    }
    values = {"backbone": OPTIONS[family], "backbone.adapter.checkpoint": tiny.checkpoint, **SMALL, **pixels}
    return tuple(f"{key}={value}" for key, value in values.items())


def ask(family: str, preset: str, *more: str) -> Asked:
    """Asks one question of three options about the clip."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            f"video={CLIP}",
            "question=what is seen first?",
            "options=[a rocket,the sea,a dog]",
            f"preset={preset}",
        ]
        own = [word for word in _words(family) if preset != "stock" or word.partition("=")[0] not in OF_STOCK]
        ran = sieve("ask", *words, *own, "picture=false", f"hydra.run.dir={folder}/run", *more)
        if ran.status:
            return Asked(ran.status, None, _said(ran))
        data = json.loads(Path(folder, "run", "answer.json").read_text())
        return Asked(0, data["answer"]["choice"], ran.out)


def _said(ran: Ran) -> str:
    return ran.err.strip().splitlines()[-1] if ran.err.strip() else ""


def main(names: list[str]) -> None:
    """Prints a table of the families that are named, or of all."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    families = [family for family in OPTIONS if not names or family in names]
    print("| | " + " | ".join(families) + " |")
    print("|---|" + "---|" * len(families))
    refusals: dict[str, int] = {}
    for preset in PRESETS:
        cells = []
        for family in families:
            asked = ask(family, preset)
            cells.append(
                "answers" if asked.status == 0 else f"refused {refusals.setdefault(asked.said, len(refusals) + 1)}"
            )
        print(f"| `{preset}` | " + " | ".join(cells) + " |", flush=True)
    for said, number in refusals.items():
        print(f"{number}. {said}")


if __name__ == "__main__":
    main(sys.argv[1:])
