"""What is saved comes back as it was; what does not fit is named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from strategies.learned.qtsplus import checkpoint
from strategies.learned.qtsplus.selector import Selector, Shape


def selector(time: bool = True, width: int = 16) -> Selector:
    torch.manual_seed(0)
    made = Selector(Shape(width, 4, 2, 2, 1, time, False), 0.05, 0.5, scaled=True, dropout=0.0, chunk=7)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def save(made: Selector, path: Path, **changes: object) -> Path:
    return checkpoint.save(
        made, path, **{"rho": "learned", "n_max": 9, "positions": "kept", "notes": {"seed": 3}, **changes}
    )


@pytest.mark.parametrize("name", ["folder", "one.safetensors"])
@pytest.mark.parametrize("time", [True, False])
def test_saved_and_loaded_it_chooses_the_same(tmp_path: Path, name: str, time: bool) -> None:
    made = selector(time)
    file = save(made, tmp_path / name)
    assert file == (tmp_path / name if name.endswith(".safetensors") else tmp_path / name / checkpoint.FILE)
    again, about = checkpoint.load(tmp_path / name, chunk=7)
    assert (about.shape, about.rho_min, about.rho_max, about.scaled) == (made.shape, 0.05, 0.5, True)
    assert (about.rho, about.n_max, about.positions, about.notes) == ("learned", 9, "kept", {"seed": 3})
    noise = torch.Generator().manual_seed(1)
    tokens, query = torch.randn(2, 30, 16, generator=noise), torch.randn(2, 4, 16, generator=noise)
    seconds = torch.arange(30.0).double().expand(2, -1)
    masks = torch.ones(2, 30, dtype=torch.bool), torch.ones(2, 4, dtype=torch.bool)
    with torch.no_grad():
        first, second = (s(tokens, masks[0], query, masks[1], seconds) for s in (made, again))
    assert torch.equal(first.tokens, second.tokens) and torch.equal(first.index, second.index)
    assert torch.equal(first.rho, second.rho) and torch.equal(first.log_scores, second.log_scores)


def test_the_dtype_of_the_file_is_kept(tmp_path: Path) -> None:
    save(selector().bfloat16(), tmp_path)
    assert {p.dtype for p in checkpoint.load(tmp_path)[0].parameters()} == {torch.bfloat16}


def test_missing_and_unexpected_weights_are_named(tmp_path: Path) -> None:
    file = save(selector(), tmp_path)
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    tensors = load_file(file)
    tensors["selector.extra"] = tensors.pop("selector.budget.mlp.0.bias")
    save_file(tensors, file, metadata=header)
    with pytest.raises(ValueError, match=r"missing budget.mlp.0.bias; unexpected extra"):
        checkpoint.load(tmp_path)


def test_weights_of_another_shape_are_named(tmp_path: Path) -> None:
    file = save(selector(), tmp_path)
    with safe_open(file, "pt") as opened:
        header = opened.metadata()
    save_file({**load_file(file), "selector.time.weight": torch.zeros(8, 64)}, file, metadata=header)
    with pytest.raises(ValueError, match=r"time.weight is \[8, 64\], \[16, 64\] is needed"):
        checkpoint.load(tmp_path)


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    made = selector()
    made.budget.mlp[2].bias.data[0] = float("nan")
    save(made, tmp_path)
    with pytest.raises(ValueError, match=r"budget.mlp.2.bias holds numbers that are not finite"):
        checkpoint.load(tmp_path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere/selector\.safetensors does not exist"):
        checkpoint.load(tmp_path / "nowhere")
    save_file({"a": torch.zeros(1)}, tmp_path / "plain.safetensors")
    with pytest.raises(ValueError, match="header holds no 'qtsplus'"):
        checkpoint.load(tmp_path / "plain.safetensors")
    (tmp_path / "text.safetensors").write_text("what is this, then")
    with pytest.raises(ValueError, match="is no safetensors file"):
        checkpoint.load(tmp_path / "text.safetensors")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"rho": 1.5}, r"rho must be learned, drawn or a number within \(0, 1\], got 1.5"),
        ({"n_max": 0}, "n_max must be at least 1, got 0"),
        ({"positions": "original"}, "positions must be kept or sequential, got 'original'"),
    ],
)
def test_what_means_nothing_is_not_saved(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        save(selector(), tmp_path, **changes)
    assert not list(tmp_path.iterdir())
