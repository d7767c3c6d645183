"""Small videos made by PyAV, and the committed clips."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., str]


def picture(number: int, height: int, width: int) -> np.ndarray:
    """A frame that tells its number: smooth, its mean brightness is about 10 + number % 200."""
    ramp = np.linspace(-8, 8, width)[None, :, None] + np.linspace(-4, 4, height)[:, None, None]
    return np.clip(10 + number % 200 + ramp + np.zeros(3), 0, 255).astype(np.uint8)  # [H, W, 3]


@pytest.fixture(scope="session")
def make_video(tmp_path_factory: pytest.TempPathFactory) -> MakeVideo:
    """`make_video("a.mp4", frames=8)`: its path. `stamps`: when each frame is shown, in units of 1 / fps seconds."""
    folder = tmp_path_factory.mktemp("made")

    def make(
        name: str,
        frames: int,
        fps: int = 2,
        size: tuple[int, int] = (56, 56),
        codec: str = "libx264",
        stamps: list[int] | None = None,
        **options: str,
    ) -> str:
        height, width = size
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=fps)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            stream.options = {"crf": "10", "preset": "ultrafast", **options} if codec == "libx264" else options
            for number in range(frames):
                frame = av.VideoFrame.from_ndarray(picture(number, height, width), format="rgb24")
                frame.pts = number if stamps is None else stamps[number]
                frame.time_base = Fraction(1, fps)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return str(folder / name)

    return make


@pytest.fixture(scope="session")
def clips(data_folder: Path) -> Callable[[str], str]:
    """`clips("nasa_13013.mp4")`: the path of a committed clip."""
    return lambda name: str(data_folder / name)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    return Path(__file__).parents[2] / "data" / "video"
