"""What no family can work with: one sentence behind the key, before a weight is read. Every family, every fault."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.framework.backbones.ask import ask
from tests.framework.backbones.conformance.families import FAMILIES
from tests.framework.backbones.conformance.family import Family

NAMES = (
    "qwen2_5_vl",
    "qwen3_vl",
    "qwen3_5",
    "internvl qwen2",
    "internvl llama first",
    "llava_onevision",
    "llava_video",
)
TESTED = [family for family in FAMILIES if family.name in NAMES]
SHOWN = {"q": "<|vision_start|><|video_pad|><|vision_end|>", "i": "<video>", "l": "<video>"}  # by the name's beginning
HEAD = "{% for m in messages %}{{ m.role }}: {% for p in m.content %}"
TAIL = "{% if p.type == 'text' %}{{ p.text }}{% endif %}{% endfor %}{% endfor %}{% if add_generation_prompt %}A: "
VIDEO = "{% if p.type == 'video' %}SHOWN{% endif %}"
TEMPLATES = {
    "no video": (HEAD + TAIL + "{% endif %}", "its chat template must show a video as one "),
    "two videos": (HEAD + VIDEO + VIDEO + TAIL + "{% endif %}", "its chat template must show a video as one "),
    "text alone": (
        "{% for m in messages %}{{ m.role + ': ' + m.content }}{% endfor %}",
        "its chat template cannot show a video beside text: TypeError",
    ),
    "no text": (HEAD + VIDEO + "{% endfor %}{% endfor %}", "its chat template must hold the user's text once"),
    "thoughts": (HEAD + VIDEO + TAIL + "<think>\n{% endif %}", "lets the model think before it answers"),
}
Copy = Callable[[Family], Path]
families = pytest.mark.parametrize("family", TESTED, ids=[family.name for family in TESTED])


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    """copy(family) -> the folder of a copy of its tiny checkpoint, of which no weight may be read."""

    def made(family: Family) -> Path:
        shutil.copytree(family.checkpoint, tmp_path, dirs_exist_ok=True)

        def refuse(*_: object, **__: object) -> None:
            raise AssertionError("weights were read")

        monkeypatch.setattr("framework.backbones.loading.load_model", refuse)
        return tmp_path

    return made


def refused(family: Family, folder: Path, said: str) -> None:
    with pytest.raises(ValueError, match=rf"^backbone\.adapter(\.\w+)?: [^\n]*{said}[^\n]*$"):
        family.load(str(folder), **family.changes)


@families
@pytest.mark.parametrize("fault", TEMPLATES)
def test_a_template_that_cannot_be_used(family: Family, fault: str, copy: Copy) -> None:
    folder = copy(family)
    template, said = TEMPLATES[fault]
    (folder / "chat_template.jinja").write_text(template.replace("SHOWN", SHOWN[family.name[0]]))
    with pytest.raises(ValueError) as caught:
        family.load(str(folder), **{**family.changes, "template": {}} if family.name != "qwen2_5_vl" else {})
    assert str(caught.value).startswith("backbone.adapter.checkpoint: ") and said in str(caught.value)


@families
def test_a_checkpoint_without_a_template(family: Family, copy: Copy) -> None:
    folder = copy(family)
    for name in ("chat_template.jinja", "chat_template.json"):
        (folder / name).unlink(missing_ok=True)
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "chat_template": None}))
    refused(family, folder, "its tokenizer has no chat template")


@families
def test_a_checkpoint_without_a_tokenizer(family: Family, copy: Copy) -> None:
    folder = copy(family)
    (folder / "tokenizer.json").unlink()
    refused(family, folder, r"/tokenizer\.json does not exist: the checkpoint has no tokenizer")


@families
def test_a_checkpoint_without_a_processor(family: Family, copy: Copy) -> None:
    """Qwen2.5-VL has the numbers of CLIP, whatever the checkpoint."""
    folder = copy(family)
    (folder / "preprocessor_config.json").unlink()
    if family.name == "qwen2_5_vl":
        with pytest.raises(AssertionError, match="weights were read"):
            family.load(str(folder))
        return
    refused(family, folder, "lacks a file that says image_mean: processor_config.json or video_preprocessor_config")


@families
def test_a_tokenizer_without_the_special_token(family: Family, copy: Copy) -> None:
    """Its number is that of config.json; InternVL's brackets are known by name."""
    folder = copy(family)
    if family.name.startswith("internvl"):
        file = folder / "tokenizer.json"
        file.write_text(file.read_text().replace('"<img>"', '"[gone]"'))
    else:
        file = folder / "config.json"
        config = json.loads(file.read_text())
        known = "video_token_index" if "video_token_index" in config else "video_token_id"
        file.write_text(json.dumps({**config, known: 9999}))
    refused(family, folder, "does not read .* as one special token")


@families
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("acme", "there are adapters for qwen2_5_vl, qwen3_vl, .*, llava_onevision"),
        ("qwen2_vl", "take a Qwen2.5-VL, Qwen3-VL or Qwen3.5 checkpoint"),
        ("internvl_chat", "take the checkpoint whose name ends in -hf or -HF"),
        ("llava_qwen", "take or make the llava_onevision conversion of this lmms-lab checkpoint"),
        ("llavaonevision1_5", "its code is not part of transformers"),
    ],
)
def test_an_architecture_without_an_adapter(family: Family, kind: str, said: str, copy: Copy) -> None:
    file = copy(family) / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": kind}))
    refused(family, file.parent, f"holds a model of type '{kind}', expected '.*: {said}")


@pytest.mark.parametrize(("name", "side"), [("qwen2_5_vl", 28), ("qwen3_vl", 32)])
def test_a_frame_smaller_than_a_cell(name: str, side: int, copy: Copy) -> None:
    family = next(one for one in TESTED if one.name == name)
    said = rf"^backbone\.adapter\.min_pixels must be at least a cell of {side} x {side} = {side**2} pixels; got 500$"
    with pytest.raises(ValueError, match=said):
        family.load(str(copy(family)), min_pixels=500)


@pytest.mark.parametrize("name", ["llava_onevision", "llava_video"])
def test_weights_without_the_newline(name: str, copy: Copy) -> None:
    from safetensors.torch import load_file, save_file

    family = next(one for one in TESTED if one.name == name)
    file = copy(family) / "model.safetensors"
    weights = {key: value for key, value in load_file(file).items() if not key.endswith("image_newline")}
    save_file(weights, file, {"format": "pt"})
    refused(family, file.parent, r"lacks 1 weights .* e\.g\. model\.image_newline: take a conversion")


@pytest.mark.parametrize(
    ("name", "layer", "said"),
    [
        ("qwen3_5", 2, r"at layers \(2,\), but this model has attention at layers 3, 7: set backbone.reference_layer"),
        ("qwen3_vl", 4, r"at layers \(4,\), but this model has layers 0..3: set backbone.reference_layer or scorer"),
        ("internvl llama", 9, r"at layers \(9,\), but this model has layers 0..3"),
    ],
)
def test_a_reference_layer_without_attention(name: str, layer: int, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the command line; a preset that asks for no attention does not mind."""
    import re

    monkeypatch.setattr("framework.backbones.loading.load_model", None)
    asked = ask(name, "adapttoken", f"backbone.reference_layer={layer}")
    assert asked.status == 2 and re.search(said, asked.said), asked.said
