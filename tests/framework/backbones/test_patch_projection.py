"""The product is the convolution, and the tower that has it is the same to whoever reads its weights."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_model, save_model
from torch import nn

from framework.backbones import operations
from framework.backbones.patch_projection import PatchProjection, as_product
from framework.lab.model import build_model


@pytest.mark.parametrize("bias", [False, True])
def test_equals_the_convolution_and_its_gradients(bias: bool) -> None:
    torch.manual_seed(0)
    stock = nn.Conv3d(3, 8, (2, 14, 14), (2, 14, 14), bias=bias)
    product = PatchProjection(stock)
    patches = torch.randn(5, 3, 2, 14, 14)
    expected = stock(patches)
    torch.testing.assert_close(product(patches), expected, atol=1e-5, rtol=1e-5)
    expected.square().sum().backward()
    wanted = {name: p.grad.clone() for name, p in stock.named_parameters()}
    stock.zero_grad()
    product(patches).square().sum().backward()
    for name, parameter in product.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name], atol=1e-4, rtol=1e-4)


def test_by_hand() -> None:
    stock = nn.Conv3d(1, 2, (2, 1, 1), (2, 1, 1), bias=False)
    stock.weight.data = torch.tensor([[1.0, 10.0], [100.0, 1000.0]]).view(2, 1, 2, 1, 1)
    assert PatchProjection(stock)(torch.tensor([[2.0, 3.0]]).view(1, 1, 2, 1, 1)).flatten().tolist() == [32.0, 3200.0]


def test_a_tower_keeps_its_weights_their_names_and_their_number(tmp_path) -> None:
    model, _ = build_model(seed=1)
    tower = model.model.visual.eval()
    patches, grid = torch.randn(16, 3 * 2 * 14 * 14), torch.tensor([[1, 4, 4]])
    names, counted, weight = list(model.state_dict()), operations.weights(tower), tower.patch_embed.proj.weight
    with torch.no_grad():
        stock = tower(patches, grid).pooler_output
        save_model(model, str(tmp_path / "before.safetensors"))
        kind = type(tower.patch_embed)
        as_product(tower)
        assert type(tower.patch_embed) is kind and tower.patch_embed.proj.weight is weight
        assert list(model.state_dict()) == names and operations.weights(tower) == counted
        torch.testing.assert_close(tower(patches, grid).pooler_output, stock, atol=1e-5, rtol=1e-5)
        weight.zero_()
        load_model(model, tmp_path / "before.safetensors")  # into the same parameter
        torch.testing.assert_close(tower(patches, grid).pooler_output, stock, atol=1e-5, rtol=1e-5)


def test_the_adapter_has_it(make) -> None:
    assert isinstance(make().tower.patch_embed.proj, PatchProjection)


def test_weights_that_are_elsewhere_are_left_to_who_fetches_them() -> None:
    with torch.device("meta"):
        model, _ = build_model(seed=1)
    as_product(model.model.visual)
    assert type(model.model.visual.patch_embed.proj) is nn.Conv3d


@pytest.mark.parametrize("wrong", [{"stride": 1}, {"stride": 2, "padding": 1}, {"stride": 2, "groups": 2}])
def test_kernels_that_overlap_are_refused(wrong: dict) -> None:
    with pytest.raises(ValueError, match="kernels side by side"):
        PatchProjection(nn.Conv3d(2, 4, 2, **wrong))
