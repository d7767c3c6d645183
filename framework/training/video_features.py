"""A video's visual tokens as the vision tower makes them, encoded once and kept on disk.

One file per video (embeddings in 16 bits), named after the video, how it is sampled and what looks at it. It knows
readers and a backbone's adapter; it knows nothing of questions or selectors.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save

from framework.backbones.base import DecoderBackbone
from framework.core.home import at_home
from framework.core.types import Group, Tokens
from framework.core.unfinished import unfinished
from framework.training.running import features_name
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from framework.video.stream import FrameSource
from framework.video.timeline import timeline

WRITER = 2  # raise it when what is stored changes
TICKS = 32  # encoded at a time
FIELDS = ("tick", "row", "column", "seconds")
EXTRA = "extra."


class VideoFeatures:
    """Encodes videos to tokens and keeps them in `folder`. What is there already is not encoded again."""

    def __init__(self, backbone: DecoderBackbone, reader: Reader, sampling: Sampling, folder: Path) -> None:
        self.backbone, self.reader, self.sampling = backbone, reader, sampling
        self.folder = at_home(folder, "running.cache")
        self.tower = features_name(type(backbone).__name__, backbone.tower.state_dict())
        self.files: dict[Path, Path] = {}

    def prepare(self, path: Path) -> None:
        """Encodes a video, unless its tokens are on disk already.

        Raises VideoError where the file is no usable video.
        """
        info, found = self.reader.info(str(path)), path.stat()
        size = self.backbone.frame_size(info.height, info.width)
        seen = (str(path.resolve()), found.st_size, found.st_mtime_ns, size, self.sampling, self.tower, WRITER)
        self.files[path] = self.folder / f"{features_name(repr(seen), {})}.safetensors"
        if not self.files[path].exists():
            self._write(str(path), size, self.files[path])

    def __getitem__(self, path: Path) -> Tokens:
        """The tokens of a prepared video, in order, on the CPU."""
        stored = load_file(self.files[path])
        extra = {name.removeprefix(EXTRA): stored[name] for name in stored if name.startswith(EXTRA)}
        return Tokens(stored["embeddings"], **{name: stored[name] for name in FIELDS}, extra=extra)

    def _write(self, path: str, size: tuple[int, int], file: Path) -> None:
        """Encode one video; the file appears under its name only when it is complete."""
        tokens = self._encode(path, size)
        kept = {name: getattr(tokens, name).contiguous() for name in FIELDS}
        kept |= {EXTRA + name: value.contiguous() for name, value in tokens.extra.items()}
        embeddings = tokens.embeddings
        kept["embeddings"] = embeddings.half() if embeddings.dtype == torch.float32 else embeddings
        with unfinished(file) as part:
            part.write_bytes(save(kept))  # save_file writes to a temporary file of its own, which a kill leaves

    def _encode(self, path: str, size: tuple[int, int]) -> Tokens:
        times = timeline(path, self.sampling, self.backbone.frames_per_tick, self.reader, self.backbone.tick_time)
        groups = [Group(i, ticks) for i, ticks in enumerate(torch.arange(len(times.seconds)).split(TICKS))]
        with FrameSource(times, self.reader, size, groups) as source:
            parts = [
                self.backbone.encode(source.frames(group), self.backbone.layout(group.ticks, *size)).to("cpu")
                for group in groups
            ]
        return Tokens.cat(parts)
