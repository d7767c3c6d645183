"""Questions of one's own: both layouts, features on disk, epochs, a whole fit, and mistakes with file and line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from framework.backbones.qwen2_5_vl import Qwen25VL
from framework.core.errors import UsageError
from framework.core.prompts import PromptTemplate
from framework.lab.needles import needle_scene
from framework.lab.video import write_video
from framework.training.video_features import VideoFeatures
from framework.video.readers.pyav import PyAVReader
from framework.video.sampling import Sampling
from framework.video.timeline import timeline
from strategies.learned.qtsplus.training.from_file import FileSource, TrainingFile
from strategies.learned.qtsplus.training.from_needles import DrawSettings

ASKED = "what color is the star ?"


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one.mp4 and two.mp4, of 16 and 24 frames, and broken.mp4."""
    folder = tmp_path_factory.mktemp("clips")
    for seed, (name, frames) in enumerate((("one", 16), ("two", 24))):
        scene, _ = needle_scene(np.random.default_rng(seed), "attribute", frames, 1, 4, 1.0, 0.05, 0.25)
        write_video(scene, folder / f"{name}.mp4")
    (folder / "broken.mp4").write_text("no video")
    return folder


ROWS: list[dict[str, Any]] = [
    {"video": "one.mp4", "question": ASKED, "options": ["red", "blue"], "answer": "blue"},
    {"vision_id": "two", "question": ASKED, "options": {"B": "green", "A": "red", "C": "blue"}, "answer": "B"},
    {"vision_id": "two", "question": ASKED, "prediction": "green"},
]


def written(folder: Path, *rows: Any) -> str:
    text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
    (folder / "mine.jsonl").write_text(text, "utf-8")
    return str(folder / "mine.jsonl")


def source(
    folder: Path, clips: Path, backbone: Qwen25VL, prompt: PromptTemplate, draw: DrawSettings, *rows: Any
) -> FileSource:
    file = TrainingFile(written(folder, *rows), str(clips), prompt)
    features = VideoFeatures(backbone, PyAVReader(1), Sampling(None, 20, 2), folder / "cache")
    return FileSource(file, file.asked(), features, backbone, draw, seed=0)


def test_both_layouts(tmp_path: Path, clips: Path, prompt: PromptTemplate) -> None:
    one, two, free = TrainingFile(written(tmp_path, ROWS[0], "", *ROWS[1:]), str(clips), prompt).asked()
    assert [asked.line for asked in (one, two, free)] == [1, 3, 4]
    assert [asked.video for asked in (one, two, free)] == [clips / "one.mp4", clips / "two.mp4", clips / "two.mp4"]
    assert (one.answer, two.answer, free.answer) == (1, 1, "green")
    assert two.question.options == ("red", "green", "blue") and free.question.options == ()
    assert two.question.prompt == f"{ASKED}\nA red\nB green\nC blue" and two.question.bare == ASKED


def test_samples_are_the_videos_own_tokens(
    tmp_path: Path, clips: Path, backbone: Qwen25VL, prompt: PromptTemplate
) -> None:
    made = source(tmp_path, clips, backbone, prompt, DrawSettings(3, 1, (0.1, 0.5)), *ROWS)
    batch = made(np.random.default_rng(0), 0)
    assert sorted(batch.mask.sum(1).tolist()) == [32, 40, 40]  # 16 frames, and 20 of the 24
    words = [backbone.tokenizer.decode(one.answer[:-1]) for one in batch.samples]
    assert sorted(words) == ["B", "B", "green"]
    assert {backbone.tokenizer.decode(one.query) for one in batch.samples} == {ASKED}
    assert batch.rho is not None and bool(((batch.rho >= 0.1) & (batch.rho <= 0.5)).all())
    times = timeline(str(clips / "two.mp4"), Sampling(None, 20, 2), 2, PyAVReader(1)).seconds
    longest = max(batch.samples, key=lambda one: len(one.tokens))
    assert torch.equal(longest.seconds, times.repeat_interleave(4))


def test_every_line_once_an_epoch_whatever_the_batch(
    tmp_path: Path, clips: Path, backbone: Qwen25VL, prompt: PromptTemplate
) -> None:
    rows = [{**ROWS[0], "question": f"what color is the {name} ?"} for name in ("star", "ring", "cross")]
    made = source(tmp_path, clips, backbone, prompt, DrawSettings(2, 1, None), *rows)
    seen = [tuple(one.query.tolist()) for step in range(6) for one in made(np.random.default_rng(step), step).samples]
    assert all(set(Counter(seen[first : first + 3]).values()) == {1} for first in range(0, 12, 3))
    assert len({tuple(seen[first : first + 3]) for first in range(0, 12, 3)}) > 1  # in another order
    assert made(np.random.default_rng(4), 4).rho is None


def test_features_are_found_again_and_belong_to_the_sampling(tmp_path: Path, clips: Path, backbone: Qwen25VL) -> None:
    def made(most: int) -> VideoFeatures:
        features = VideoFeatures(backbone, PyAVReader(1), Sampling(None, most, 2), tmp_path)
        features.prepare(clips / "one.mp4")
        return features

    (tmp_path / ".before.safetensors.99999999.part").write_bytes(b"half")  # of a process that cannot be
    first, again, other = made(16), made(16), made(8)
    assert first.files == again.files and len(list(tmp_path.iterdir())) == 2
    assert (len(first[clips / "one.mp4"]), len(other[clips / "one.mp4"])) == (32, 16)
    assert first[clips / "one.mp4"].embeddings.dtype == torch.float16


def test_a_fit(fit: Any, clips: Path, tmp_path: Path) -> None:
    fitted = fit("mine", recipe__file=written(tmp_path, *ROWS), recipe__videos=clips, reader="pyav")
    assert (fitted / "selector.safetensors").is_file()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**ROWS[0], "video": "three.mp4"}, r"line 2: video 'three.mp4' is no file in .*recipe\.videos"),
        ({**ROWS[1], "options": {"A": "red", "C": "blue"}}, "line 2: options must be a list of texts"),
        ({**ROWS[1], "answer": "D"}, "line 2: answer 'D' is none of the options"),
        ({**ROWS[0], "question": "  "}, "line 2: question must be a text that is not empty"),
        ({"vision_id": "two", "question": ASKED}, "line 2: answer is missing"),
        ({**ROWS[0], "options": ["red"], "answer": "red"}, "line 2: .*one option is no choice"),
        ("no json", "line 2: no JSON"),
        ({**ROWS[0], "video": "broken.mp4"}, r"line 2: video=.*broken\.mp4"),
        ({**ROWS[0], "options": [f"{i}" for i in range(20)], "answer": 3}, "line 2: option letter"),
    ],
)
def test_mistakes_are_said_with_file_and_line(
    tmp_path: Path, clips: Path, backbone: Qwen25VL, prompt: PromptTemplate, row: Any, said: str
) -> None:
    with pytest.raises(UsageError, match=rf"mine\.jsonl, {said}"):
        source(tmp_path, clips, backbone, prompt, DrawSettings(1, 1, None), ROWS[0], row)


def test_no_such_file(fit: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"recipe\.file=.*nothing\.jsonl: no such file"):
        fit("mine", recipe__file=tmp_path / "nothing.jsonl")
