"""Short square clips that gaze models learn from: made-up videos without end, or a folder of videos of one's own.

A clip is a pure function of the source and its index.
"""

from __future__ import annotations

import hashlib
import logging
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from framework.core.errors import UsageError
from framework.core.home import at_home
from framework.core.unfinished import unfinished
from framework.video.readers.base import Reader
from strategies.learned.autogaze.gaze.pixels import resize
from strategies.learned.autogaze.training.label_files import key_of
from strategies.learned.autogaze.training.synthetic_render import render

log = logging.getLogger(__name__)
ENDINGS = {".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v"}
RATE_STREAM = 997
WRITER = 1  # raise it when other pixels come out: stored clips of before are then left alone
FOLDER_WRITER = 3  # the same, of a folder's videos
REPORT = 512  # clips between lines of the log


class Clips(ABC):
    """Defines a source of clips, each u8 [frames, size, size, 3], which are found by index."""

    count: int
    frames: int
    size: int

    @abstractmethod
    def clip(self, index: int) -> Tensor:
        """Returns the clip at `index`, 0 .. count - 1: u8 [frames, size, size, 3]."""

    @abstractmethod
    def name(self, index: int) -> str:
        """Returns what labels call the clip: three path components, and #n for the n-th clip of one video.

        Clips of a video are counted from 0; clip 0 has no #n.
        """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Returns a text that says all that the pixels of the clips depend on."""


class MadeClips(Clips):
    """Renders made-up videos. Clips of two seeds have nothing in common."""

    def __init__(self, seed: int, count: int, size: int, frames: int, fps: tuple[float, float]) -> None:
        if not 0 < fps[0] <= fps[1]:
            raise ValueError(f"recipe.clips.fps: 0 < low <= high is needed, got {fps[0]} and {fps[1]}")
        _positive(count=count, size=size, frames=frames)
        self.seed, self.count, self.size, self.frames, self.fps = seed, count, size, frames, fps

    def clip(self, index: int) -> Tensor:
        """Renders the clip anew; its frames a second are drawn log-uniformly within `fps`."""
        share = np.random.default_rng([self.seed, index, RATE_STREAM]).random()
        fps = math.exp(math.log(self.fps[0]) + share * math.log(self.fps[1] / self.fps[0]))
        return render(self.seed, index, self.frames, self.size, fps)

    def name(self, index: int) -> str:
        """Returns a name as if the clip were a file: procedural/SEED/INDEX.mp4."""
        return f"procedural/{self.seed}/{index}.mp4"

    @property
    def identity(self) -> str:
        """Returns the identity without the number of clips, because fewer clips are the first of more."""
        return repr((WRITER, self.seed, self.size, self.frames, self.fps))


class FolderClips(Clips):
    """Cuts clips from the videos of a folder: `per_video` of each video, evenly spread over it.

    A clip holds consecutive frames at about `fps`, or every frame where `fps` is None. Frames are cut to their central
    square. A video that is too short repeats its last frame.
    """

    def __init__(
        self, folder: str, reader: Reader, size: int, frames: int, fps: float | None, per_video: int, where: str
    ) -> None:
        _positive(size=size, frames=frames, per_video=per_video)
        root = at_home(folder, where)
        self.files = sorted(path for path in root.rglob("*") if path.suffix.lower() in ENDINGS)
        if not self.files:
            raise UsageError(f"{where}: got {folder}, expected a folder with videos ({', '.join(sorted(ENDINGS))})")
        names = [key_of(path.resolve()) for path in self.files]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(f"{where}: labels are found by the last three parts of a path; several are {twice[0]}")
        self.reader, self.size, self.frames, self.fps, self.per_video = reader, size, frames, fps, per_video
        self.count = len(self.files) * per_video

    def clip(self, index: int) -> Tensor:
        """Decodes the clip anew. Raises VideoError where the file is no usable video."""
        file, nth = divmod(index, self.per_video)
        info = self.reader.info(str(self.files[file]))
        numbers = self._numbers(info.seconds, nth)
        with closing(self.reader.decode(str(self.files[file]), np.unique(numbers).tolist())) as decoded:
            cut = ((number, square(picture, info.height, info.width)) for number, picture in decoded)
            pictures = {number: resize(picture, self.size, self.size) for number, picture in cut}
        return torch.stack([pictures[number] for number in numbers.tolist()]).permute(0, 2, 3, 1).contiguous()

    def name(self, index: int) -> str:
        """Returns the last three parts of the path, and #n for the n-th clip of one video; clip 0 has no #n."""
        file, nth = divmod(index, self.per_video)
        return key_of(self.files[file].resolve()) + (f"#{nth}" if nth else "")

    @property
    def identity(self) -> str:
        """Returns the identity of the files as they are now (paths, sizes, times of change) and of the settings."""
        files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in self.files]
        return repr((FOLDER_WRITER, files, self.size, self.frames, self.fps, self.per_video))

    def _numbers(self, seconds: np.ndarray, nth: int) -> np.ndarray:
        last = len(seconds) - 1
        if self.fps is None:
            first = max(len(seconds) - self.frames, 0) * nth // self.per_video
            return np.minimum(first + np.arange(self.frames), last)
        step = 1 / self.fps
        length = self.frames * step
        start = seconds[0] + max(seconds[-1] - seconds[0] - length, 0) * nth / self.per_video
        first = int(np.searchsorted(seconds, start))
        times = seconds[first] + step * np.arange(self.frames)
        return np.minimum(np.searchsorted(seconds, times - 0.5 * step / self.frames), last)


class StoredClips(Clips):
    """Reads the clips of another source from one file in `folder`, which is made once."""

    def __init__(self, source: Clips, folder: Path) -> None:
        self.source, self.count, self.frames, self.size = source, source.count, source.frames, source.size
        told = f"{source.identity} {source.count}"
        self.file = at_home(folder, "running.cache") / f"clips_{hashlib.sha256(told.encode()).hexdigest()[:20]}.npy"
        self._pixels: np.ndarray | None = None

    def clip(self, index: int) -> Tensor:
        """Reads the clip from the file, which is written first if it is not there."""
        if self._pixels is None:
            self.prepare()
            self._pixels = np.load(self.file, mmap_mode="r")
        return torch.from_numpy(np.array(self._pixels[index]))

    def name(self, index: int) -> str:
        """Returns the name that the source gives the clip."""
        return self.source.name(index)

    @property
    def identity(self) -> str:
        """Returns the identity of the source."""
        return self.source.identity

    def prepare(self) -> None:
        """Writes the file unless it is there. It appears under its name only when it is complete."""
        if self.file.exists():
            return
        log.info("%d clips of %d frames are made: %s", self.count, self.frames, self.file)
        shape = (self.count, self.frames, self.size, self.size, 3)
        with unfinished(self.file) as part:
            pixels = np.lib.format.open_memmap(part, "w+", np.uint8, shape)
            for index in range(self.count):
                pixels[index] = self.source.clip(index).numpy()
                if (index + 1) % REPORT == 0:
                    log.info("%d of %d clips", index + 1, self.count)
            pixels.flush()
            del pixels


@dataclass(frozen=True)
class ClipSettings:
    """Says which clips are used: made-up ones (`seed`), or those of a folder of videos."""

    count: int  # made-up clips
    held_out: int  # clips for measuring, which are never trained on
    fps: tuple[float, float]  # of made-up clips, drawn log-uniformly between
    seed: int
    held_out_seed: int
    folder: str | None  # of videos, in place of made-up ones
    held_out_folder: str | None
    folder_fps: float | None  # None: every frame
    per_video: int

    def __post_init__(self) -> None:
        if self.seed == self.held_out_seed:
            raise ValueError(f"recipe.clips.held_out_seed must differ from recipe.clips.seed, both are {self.seed}")
        if self.folder is not None and self.folder == self.held_out_folder:
            raise ValueError(
                f"recipe.clips.held_out_folder must differ from recipe.clips.folder, both are {self.folder}"
            )
        if self.folder_fps is not None and not 0 < self.folder_fps < math.inf:
            raise ValueError(f"recipe.clips.folder_fps must be above 0, or null for every frame, got {self.folder_fps}")
        if (self.folder is None) != (self.held_out_folder is None):
            raise ValueError("recipe.clips.folder and recipe.clips.held_out_folder go together: give both, or neither")


def clips(
    settings: ClipSettings, size: int, frames: int, make_reader: Callable[[], Reader], cache: Path
) -> tuple[StoredClips, StoredClips]:
    """Returns (clips to train on, held-out clips) as the settings say, stored in `cache`."""
    sources: list[Clips]
    if settings.folder is not None and settings.held_out_folder is not None:
        reader = make_reader()
        rest = (size, frames, settings.folder_fps, settings.per_video)
        sources = [
            FolderClips(settings.folder, reader, *rest, "recipe.clips.folder"),
            FolderClips(settings.held_out_folder, reader, *rest, "recipe.clips.held_out_folder"),
        ]
    else:
        sources = [
            MadeClips(settings.seed, settings.count, size, frames, settings.fps),
            MadeClips(settings.held_out_seed, settings.held_out, size, frames, settings.fps),
        ]
    train, held_out = (StoredClips(source, cache) for source in sources)
    return train, held_out


def square(picture: Tensor, height: int, width: int) -> Tensor:
    """Returns what is the central square of a frame [3, H, W] once it is shown at `height` x `width` pixels."""
    side = min(height, width)
    rows, columns = round(picture.shape[1] * side / height), round(picture.shape[2] * side / width)
    top, left = (picture.shape[1] - rows) // 2, (picture.shape[2] - columns) // 2
    return picture[:, top : top + rows, left : left + columns]


def _positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"recipe.clips: {name} must be at least 1, got {number}")
