"""Makes preprocess.safetensors: frames of nasa_13013.mp4 and what transformers' own image processor makes of them.

Run from the repository root: python tests/data/video/make_preprocess.py
"""

from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

HERE = Path(__file__).parent
SIZES = {"small": (48, 36), "odd": (101, 47), "wide": (160, 24)}  # width, height of the frame given to the processor
PIXELS = {"min_pixels": 56 * 56, "max_pixels": 84 * 84}


def main() -> None:
    with av.open(str(HERE / "nasa_13013.mp4")) as container:
        stream = container.streams.best("video")
        frames = [f.to_image() for _, f in zip(range(200), container.decode(stream), strict=False)]
    size = {"shortest_edge": PIXELS["min_pixels"], "longest_edge": PIXELS["max_pixels"]}
    processor = Qwen2VLImageProcessorPil(size=size)
    stored = {}
    for (name, shape), frame in zip(SIZES.items(), (frames[0], frames[90], frames[199]), strict=True):
        picture = frame.resize(shape, Image.Resampling.BILINEAR)
        made = processor(images=[picture], return_tensors="np")
        _, rows, columns = made["image_grid_thw"][0].tolist()
        resized = picture.resize(
            (columns * processor.patch_size, rows * processor.patch_size), Image.Resampling.BICUBIC
        )
        stored[f"{name}.frame"] = torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy())  # u8 [3, H, W]
        stored[f"{name}.resized"] = torch.from_numpy(np.asarray(resized).transpose(2, 0, 1).copy())  # u8, by Pillow
        stored[f"{name}.grid"] = torch.tensor([rows, columns])  # patches
        stored[f"{name}.patches"] = torch.from_numpy(made["pixel_values"]).half()  # [rows * columns, 3 * 2 * 14 * 14]
    save_file(stored, HERE / "preprocess.safetensors")


if __name__ == "__main__":
    main()
