"""The selector gives the published code's numbers on made-up weights."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch

from strategies.learned.qtsplus.gate import threshold
from strategies.learned.qtsplus.selector import Selector, Shape

CASES = json.loads((Path(__file__).parents[3] / "data/qtsplus/official.json").read_text())["cases"]


def official_names(selector: Selector) -> dict[str, torch.nn.Parameter]:
    """Sorted official names: the re-encoder's blocks are wrapped once more there."""
    named = {re.sub(r"^(reencode_layers\.\d+)\.", r"\1.core.", name): p for name, p in selector.named_parameters()}
    return dict(sorted(named.items()))


def filled(case: dict) -> Selector:  # type: ignore[type-arg]
    """The selector of a case, with the fixture's formula in every parameter."""
    cfg = case["cfg"]
    shape = Shape(cfg["d"], cfg["heads"], cfg["kv_heads"], cfg["scoring_layers"], cfg["reencode_layers"], False, True)
    selector = Selector(shape, cfg["rho_min"], cfg["rho_max"], scaled=False, dropout=0.0, chunk=7).double()
    for i, (name, parameter) in enumerate(official_names(selector).items()):
        k = torch.arange(parameter.numel(), dtype=torch.float64)
        value = torch.sin(0.7 * k + 1.3 * i) * torch.cos(0.013 * k**2 + 0.2 * i)
        value = 1 + 0.1 * value if name.endswith("norm.weight") else 0.3 * value
        parameter.data.copy_(value.view_as(parameter))
    return selector


@pytest.mark.parametrize("name", CASES)
def test_published_numbers(name: str) -> None:
    case = CASES[name]
    cfg, selector = case["cfg"], filled(case)
    assert list(official_names(selector)) == case["names"]
    m, c, row = (torch.arange(n, dtype=torch.float64) for n in (cfg["M"], cfg["d"], cfg["L"]))
    tokens = torch.sin(0.9 * m[:, None] + 0.53 * c**2) + 0.5 * torch.cos(1.7 * m[:, None] * c)
    query = torch.cos(0.31 * row[:, None] + 0.17 * c**2) + 0.4 * torch.sin(row[:, None] * c)
    all_tokens, all_words = torch.ones(1, cfg["M"], dtype=torch.bool), torch.ones(1, cfg["L"], dtype=torch.bool)
    with torch.no_grad():
        chosen = selector(tokens[None], all_tokens, query[None], all_words, most=cfg["nmax"])
    assert float(chosen.rho) == pytest.approx(case["rho"], abs=2e-5)
    assert float(chosen.entropy) == pytest.approx(case["H"], abs=2e-5)
    assert int(chosen.count) == case["n"] and chosen.index[0].tolist() == case["idx"]
    torch.testing.assert_close(chosen.log_scores.exp()[0], torch.tensor(case["r"]), atol=2e-5, rtol=0)
    torch.testing.assert_close(chosen.tokens[0], torch.tensor(case["Z"], dtype=torch.float64), atol=2e-5, rtol=0)


@pytest.mark.parametrize("name", CASES)
def test_published_thresholds(name: str) -> None:
    case = CASES[name]
    scores = torch.tensor(case["r"])[None]
    for rho, expected in case["thr_tau0p5"].items():
        total = torch.tensor([float(rho) * scores.shape[1]])
        found = threshold(scores, torch.ones_like(scores, dtype=torch.bool), total, 0.5)
        assert float(found) == pytest.approx(expected, abs=2e-5)
