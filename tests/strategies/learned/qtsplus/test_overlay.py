"""A tiny checkpoint in the published layout: its selector is read strictly, the rest replaces the base model's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import Qwen2_5_VLForConditionalGeneration

from framework.core.errors import UsageError
from strategies.learned.qtsplus import official, source
from strategies.learned.qtsplus.checkpoint import save
from strategies.learned.qtsplus.overlay import PublishedWeights
from strategies.learned.qtsplus.selector import Selector, Shape
from strategies.learned.qtsplus.source import Source

PREFIX = "model.qts_plus.selector."
WIDTH, HEADS, KV = 32, 4, 2  # of the tiny model
NORMS = ("q_norm.weight", "kv_norm.weight", "ffn_norm.weight")
SETTINGS = {
    "model_type": "qts_plus_qwen2_5_vl_causal_lm",
    "hidden_size": WIDTH,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KV,
    "qts_plus_rho_min": 0.1,
    "qts_plus_rho_max": 0.4,
    "qts_plus_nmax": 2560,
    "qts_plus_scoring_layers": 1,
    "qts_plus_reencode_layers": 2,
}


def selector_tensors(width: int = WIDTH) -> dict[str, Tensor]:
    """The table of names and shapes of the published code, for one scoring and two re-encoding blocks."""
    kv, inner = width // HEADS * KV, 4 * width
    block = {f"{name}": (width,) for name in NORMS}
    block |= {"q_proj.weight": (width, width), "q_proj.bias": (width,), "o_proj.weight": (width, width)}
    block |= {f"{name}_proj.weight": (kv, width) for name in "kv"} | {f"{name}_proj.bias": (kv,) for name in "kv"}
    block |= {"ffn.net.0.weight": (inner, width), "ffn.net.0.bias": (inner,)}
    block |= {"ffn.net.2.weight": (width, inner), "ffn.net.2.bias": (width,)}
    shapes = {f"scoring_layers.0.{name}": shape for name, shape in block.items()}
    shapes |= {f"reencode_layers.{i}.core.{name}": shape for i in range(2) for name, shape in block.items()}
    shapes |= {"budget.mlp.0.weight": (256, width + 3), "budget.mlp.0.bias": (256,)}
    shapes |= {"budget.mlp.2.weight": (1, 256), "budget.mlp.2.bias": (1,)}
    noise = torch.Generator().manual_seed(9)
    return {PREFIX + name: 0.3 * torch.randn(shape, generator=noise) for name, shape in shapes.items()}


def published(base: str, change: float) -> dict[str, Tensor]:
    """The base model's tensors by their published names, `change` added to each."""
    renamed = {}
    for name, value in Qwen2_5_VLForConditionalGeneration.from_pretrained(base).named_parameters():
        theirs = name.replace("model.visual.", "model.vision_tower.").replace("model.language_model.", "model.")
        renamed[theirs] = value.detach() + change
    return renamed


def write(folder: Path, tensors: dict[str, Tensor], kind: str = "safetensors", **settings: object) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**SETTINGS, **settings}))
    names = sorted(tensors)
    if kind == "bin":
        torch.save(tensors, folder / "pytorch_model.bin")
    elif kind == "safetensors":
        save_file(tensors, folder / "model.safetensors")
    else:
        stem, end = ("model", "safetensors") if kind == "shards" else ("pytorch_model", "bin")
        files = [f"{stem}-0000{i}-of-00002.{end}" for i in (1, 2)]
        for i, file in enumerate(files):
            part = {name: tensors[name] for name in names[i::2]}
            save_file(part, folder / file) if end == "safetensors" else torch.save(part, folder / file)
        weight_map = {name: files[i % 2] for i, name in enumerate(names)}
        (folder / f"{stem}.{end}.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return str(folder)


@pytest.mark.parametrize("kind", ["safetensors", "shards", "bin", "bin shards"])
def test_every_tensor_arrives(
    make, checkpoint: str, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    tensors, mine = selector_tensors(), published(checkpoint, 0.5)
    folder = write(tmp_path / "published", {**tensors, **mine}, kind)
    with caplog.at_level(logging.INFO):
        backbone = make(overlay=PublishedWeights(folder))
    base = make()
    for name, value in base.model.named_parameters():
        assert torch.equal(value + 0.5, backbone.model.get_parameter(name))
    tower = sum(name.startswith("model.vision_tower.") for name in mine)
    rest = len(mine) - tower
    assert f"model: {rest} tensors, {rest} differ; vision tower: {tower} tensors, {tower} differ; 0 not" in caplog.text
    chooser = Source(folder, "compat")
    like = torch.zeros(1, WIDTH)
    assert chooser.about is not None
    shape = chooser.about.shape
    assert (shape.scoring_layers, shape.reencode_layers, shape.time, shape.official) == (1, 2, False, True)
    assert (chooser.about.rho_min, chooser.about.rho_max, chooser.about.n_max) == (0.1, 0.4, 2560)
    assert not chooser.scoring(like).reencode_layers and not hasattr(chooser.reencoding(like), "scoring_layers")
    found = {}
    for part in (chooser.scoring(like), chooser.reencoding(like)):
        found |= {name: value for name, value in part.state_dict().items()}
    expected = {name.removeprefix(PREFIX).replace(".core.", "."): value for name, value in tensors.items()}
    assert found.keys() == expected.keys() and all(torch.equal(found[name], expected[name]) for name in found)


def test_the_log_says_when_weights_are_the_base_models(
    make, checkpoint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mine = published(checkpoint, 0.0)
    mine["model.norm.weight"] += 1
    del mine["model.vision_tower.merger.ln_q.weight"]
    with caplog.at_level(logging.INFO):
        backbone = make(overlay=PublishedWeights(write(tmp_path / "published", {**selector_tensors(), **mine})))
    assert " 1 differ; vision tower" in caplog.text and " 0 differ; 1 not in it" in caplog.text
    assert torch.equal(backbone.decoder.norm.weight, make().decoder.norm.weight + 1)


def test_a_selector_alone_leaves_the_model_as_it_is(make, checkpoint: str, tmp_path: Path) -> None:
    backbone = make(overlay=PublishedWeights(write(tmp_path / "alone", selector_tensors())))
    for name, value in make().model.named_parameters():
        assert torch.equal(value, backbone.model.get_parameter(name))


def test_layers_are_counted_where_the_configuration_does_not(tmp_path: Path) -> None:
    folder = Path(write(tmp_path / "alone", selector_tensors()))
    settings = {key: value for key, value in SETTINGS.items() if not key.endswith("_layers")}
    (folder / "config.json").write_text(json.dumps(settings))
    assert official.read(folder).shape == Shape(WIDTH, HEADS, KV, 1, 2, False, True)


def test_a_tied_head_follows_the_embeddings(
    make, tied_checkpoint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The published files of tied models may lack the head."""
    tensors = published(tied_checkpoint, 0.0)
    assert "lm_head.weight" not in tensors
    tensors["model.embed_tokens.weight"] = tensors["model.embed_tokens.weight"] * 2
    folder = write(tmp_path / "tied", {**selector_tensors(), **tensors})
    with caplog.at_level(logging.INFO):
        model = make(checkpoint=tied_checkpoint, overlay=PublishedWeights(folder)).model
    assert "0 not in it" in caplog.text
    assert torch.equal(model.lm_head.weight, tensors["model.embed_tokens.weight"])


def changed(change: Callable[[dict[str, Tensor]], object]) -> dict[str, Tensor]:
    tensors = selector_tensors()
    change(tensors)
    return tensors


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop(PREFIX + "budget.mlp.0.bias"), r"missing budget\.mlp\.0\.bias; unexpected nothing"),
        (
            lambda t: t.update({PREFIX + "scoring_layers.1.q_norm.weight": torch.ones(WIDTH)}),
            r"missing nothing; unexpected scoring_layers\.1\.q_norm\.weight",
        ),
        (
            lambda t: t.update({PREFIX + "scoring_layers.0.k_proj.bias": torch.ones(3)}),
            r"scoring_layers\.0\.k_proj\.bias is \[3\], \[16\] is needed \(width 32, 4 heads, 2 of keys\)",
        ),
        (
            lambda t: t.update({PREFIX + "scoring_layers.0.k_proj.bias": torch.full((16,), torch.inf)}),
            r"scoring_layers\.0\.k_proj\.bias holds numbers that are not finite",
        ),
    ],
)
def test_the_selector_is_read_strictly(tmp_path: Path, change, said: str) -> None:
    folder = write(tmp_path / "wrong", changed(change))
    with pytest.raises(UsageError, match=rf"^qtsplus\.checkpoint: .*{said}"):
        Source(folder, "compat").scoring(torch.zeros(1, WIDTH))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.update({"model.layers.9.mlp.up_proj.weight": torch.ones(2)}), "holds 1 tensors .* does not have"),
        (
            lambda t: t.update({"model.norm.weight": torch.ones(2)}),
            r"model\.norm\.weight is \[2\].*base model's is \[32\]",
        ),
        (
            lambda t: t.update({"model.norm.weight": torch.full((WIDTH,), torch.nan)}),
            r"model\.norm\.weight holds numbers that are not finite",
        ),
        (lambda t: t.update({"model.mm_projector.weight": torch.ones(2)}), "another family of models than Qwen2"),
        (lambda t: [t.pop(name) for name in list(t)], "no tensor's name begins with"),
    ],
)
def test_weights_of_another_model_are_refused(make, tmp_path: Path, change, said: str) -> None:
    tensors = changed(change) or {"model.norm.weight": torch.ones(WIDTH)}
    with pytest.raises(ValueError, match=rf"qtsplus\.checkpoint.*{said}"):
        make(overlay=PublishedWeights(write(tmp_path / "wrong", tensors)))


@pytest.mark.parametrize("kind", ["published", "ours"])
def test_another_width_is_named_before_the_model_is_loaded(make, monkeypatch, tmp_path: Path, kind: str) -> None:
    monkeypatch.setattr(Qwen2_5_VLForConditionalGeneration, "from_pretrained", None)
    if kind == "published":
        write(tmp_path / "wide", selector_tensors(64), hidden_size=64)
    else:
        selector = Selector(Shape(64, 4, 2, 1, 0, False, False), 0.1, 0.5, scaled=True, dropout=0.0, chunk=7)
        save(selector, tmp_path / "wide", rho=0.1, n_max=None, positions="kept", notes={})
    with pytest.raises(ValueError, match=r"qtsplus\.checkpoint.*reads tokens of width 64, those of .* have 32"):
        make(overlay=PublishedWeights(str(tmp_path / "wide")))


def test_a_base_of_another_family_is_named_before_the_model_is_loaded(checkpoint: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "published", {**selector_tensors(), **published(checkpoint, 0.0)})
    base = tmp_path / "base"
    base.mkdir()
    config = json.loads((Path(checkpoint) / "config.json").read_text())
    (base / "config.json").write_text(json.dumps({**config, "model_type": "qwen3_vl"}))
    with pytest.raises(ValueError, match=r"for 'qwen2_5_vl', .* is of type 'qwen3_vl': choose .* or set overlay=none"):
        PublishedWeights(folder).prepare(str(base), local=True)
    alone = write(tmp_path / "alone", selector_tensors())
    assert PublishedWeights(alone).prepare(str(base), local=True) is not None  # it brings nothing of a family


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"qts_plus_rho_min": 0.5, "qts_plus_rho_max": 0.1}, "rho_min <= rho_max"),
        ({"qts_plus_nmax": 0}, "n_max must be at least 1"),
    ],
)
def test_settings_that_cannot_be(tmp_path: Path, settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=rf"qtsplus\.checkpoint: .*{said}"):
        Source(write(tmp_path / "odd", selector_tensors(), **settings), "compat")


@pytest.mark.parametrize(
    ("said", "limit"), [({}, 2560), ({"qts_plus_nmax": 512}, 512), ({"qts_plus_nmax": None}, None)]
)
def test_the_published_limit(tmp_path: Path, said: dict[str, object], limit: int | None) -> None:
    """Where the file says nothing it is the default of the published code."""
    folder = write(tmp_path / "published", selector_tensors(), **said)
    place = Path(folder) / "config.json"
    settings = {
        name: value for name, value in json.loads(place.read_text()).items() if name in said or "nmax" not in name
    }
    place.write_text(json.dumps(settings))
    about = Source(folder, "compat").about
    assert about is not None and about.n_max == limit


def test_a_folder_without_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SETTINGS))
    with pytest.raises(ValueError, match=r"holds no weights: neither model\.safetensors nor pytorch_model\.bin"):
        Source(str(tmp_path), "compat")


def test_the_mode_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"mode is paper, but .* trained with sequential positions.*mode=compat"):
        Source(write(tmp_path / "published", selector_tensors()), "paper")


def test_ours_and_random_ones_bring_no_language_model(make, tmp_path: Path) -> None:
    selector = Selector(Shape(WIDTH, 4, 2, 1, 0, False, False), 0.1, 0.5, scaled=True, dropout=0.0, chunk=7)
    save(selector, tmp_path, rho=0.1, n_max=None, positions="kept", notes={})
    for overlay in (str(tmp_path), "random:1"):
        assert source.published_folder(overlay) is None
        assert torch.equal(make(overlay=PublishedWeights(overlay)).decoder.norm.weight, make().decoder.norm.weight)
