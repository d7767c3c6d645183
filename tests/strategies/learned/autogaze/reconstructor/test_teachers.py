"""Terms of frozen vision models, on tiny random ones of the two published families."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from transformers import (
    BitImageProcessor,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipConfig,
    SiglipImageProcessor,
    SiglipModel,
)

from strategies.learned.autogaze.gaze.pixels import normalise
from strategies.learned.autogaze.reconstructor import checkpoint
from strategies.learned.autogaze.reconstructor.model import Reconstructor
from strategies.learned.autogaze.reconstructor.teachers import Teacher, TeacherSettings

TOWER = {"hidden_size": 16, "num_hidden_layers": 5, "num_attention_heads": 2, "image_size": 32, "patch_size": 16}


@pytest.fixture
def dino(tmp_path: Path) -> str:
    torch.manual_seed(0)
    Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**TOWER, num_register_tokens=4)).save_pretrained(
        tmp_path / "dino"
    )
    BitImageProcessor(image_mean=[0.4, 0.5, 0.6], image_std=[0.1, 0.2, 0.3]).save_pretrained(tmp_path / "dino")
    return str(tmp_path / "dino")


@pytest.fixture
def siglip(tmp_path: Path) -> str:
    torch.manual_seed(1)
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 9,
    }
    config = SiglipConfig(vision_config={**TOWER, "intermediate_size": 16}, text_config=text)
    SiglipModel(config).save_pretrained(tmp_path / "siglip")
    SiglipImageProcessor().save_pretrained(tmp_path / "siglip")
    return str(tmp_path / "siglip")


@pytest.mark.parametrize(("frames", "side", "seen"), [(32, None, 32), (48, None, 32), (32, 48, 48), (48, 16, 16)])
def test_dino_by_hand(dino: str, frames: int, side: int | None, seen: int) -> None:
    model = Dinov2WithRegistersModel.from_pretrained(dino).eval()
    bytes_ = torch.randint(0, 256, (2, 2, 3, frames, frames)).float()

    def states(pictures: Tensor) -> Tensor:
        if seen != frames:
            pictures = interpolate(pictures, (seen, seen), mode="bilinear", antialias=True)
        ready = (pictures / 255 - torch.tensor([0.4, 0.5, 0.6])[:, None, None]) / torch.tensor([0.1, 0.2, 0.3])[
            :, None, None
        ]
        with torch.no_grad():
            made = model(ready, output_hidden_states=True).hidden_states
        return torch.cat(made[-4:], 2)[:, 5:]  # class token and four registers

    wanted = 0.3 * ((states(bytes_[0]) - states(bytes_[1])) ** 2).mean((1, 2))
    found = Teacher(TeacherSettings(dino, 0.3, 5, side)).difference(normalise(bytes_[0]), normalise(bytes_[1]))
    assert torch.allclose(found, wanted, rtol=1e-3) and bool((wanted > 0).all())


def test_they_add_to_the_loss_and_are_saved_by_name(
    dino: str, siglip: str, lab: Reconstructor, pixels: Tensor, picked: Tensor, tmp_path: Path
) -> None:
    plain = lab.loss(pixels, lab(pixels, picked))
    lab.teachers = [Teacher(TeacherSettings(dino, 0.3, 5)), Teacher(TeacherSettings(siglip, 0.5, 0))]
    both = lab.loss(pixels, lab(pixels, picked))
    assert bool((both > plain).all())
    both.mean().backward()
    assert all(p.grad is None for teacher in lab.teachers for p in teacher.model.parameters())
    file = checkpoint.save(lab, tmp_path, {})
    loaded, header = checkpoint.load(file)
    assert [told["checkpoint"] for told in header["teachers"]] == [dino, siglip]
    assert len(loaded.state_dict()) == len(lab.state_dict())
    assert torch.allclose(loaded.loss(pixels, loaded(pixels, picked)), both, atol=1e-5)


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"gaze.teachers: weight > 0 and skip >= 0 are needed, got 0.0 and 5 for x"):
        TeacherSettings("x", 0.0, 5)
    with pytest.raises(ValueError, match=r"gaze.teachers: side must be pixels, or null; got 0 for x"):
        TeacherSettings("x", 0.3, 5, 0)


@pytest.mark.parametrize("side", [8, 24, 33])
def test_no_whole_number_of_patches(dino: str, side: int) -> None:
    frame = torch.zeros(1, 3, 32, 32)
    with pytest.raises(ValueError, match=rf"gaze.teachers: side must be a multiple of 16 pixels, .*dino; got {side}"):
        Teacher(TeacherSettings(dino, 0.3, 5, side)).difference(frame, frame)


def test_siglip_at_another_side(siglip: str) -> None:
    frames = torch.randn(2, 2, 3, 32, 32)
    for side, patches in ((None, 4), (32, 4), (48, 9)):
        teacher = Teacher(TeacherSettings(siglip, 0.5, 0, side))
        assert teacher.difference(*frames).shape == (2,) and teacher._seen(frames[0]).shape[1] == patches
