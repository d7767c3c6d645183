"""`sieve doctor`: what this machine has, and what is missing. Finds out by trying.

Asked about a backbone or a benchmark, it hands over to `doctor_backbone.py` and `doctor_benchmark.py`.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.table import Table
from rich.text import Text

from framework.commands import doctor_backbone
from framework.config.plugins import CONF, plugin_folders
from framework.core.model_files import ASSETS, SHIPPED
from framework.report.console import console

NEEDED = (
    "torch",
    "transformers",
    "accelerate",
    "hydra-core",
    "omegaconf",
    "lightning",
    "numpy",
    "scipy",
    "safetensors",
    "av",
    "matplotlib",
    "rich",
    "wandb",
)
OPTIONAL = ("decord", "torchcodec", "flash-attn", "hydra-submitit-launcher")
SHADES = (40, 120, 200)  # of the made film
NEAR = 6.0  # how far a decoded grey may lie from the written one
MARKS = {"ok": ("✓", "green"), "missing": ("–", "dim"), "bad": ("✗", "red")}  # state -> sign and its style
PLANNED = {"frames", "budget", "preset", "device", "film"}  # keys that describe a run
LEAST_FREE = 2 * 2**30  # bytes, for rendered videos and spools


@dataclass(frozen=True)
class Finding:
    """Holds one line of the report."""

    part: str
    what: str
    state: str  # ok, missing (something optional) or bad (something needed)
    detail: str


def run(cfg: DictConfig) -> None:
    """Prints every finding. The exit status is 1 when something needed is missing."""
    named = any(word.startswith(("backbone=", "prober=")) for word in HydraConfig.get().overrides.task)
    if named:
        _backbone(cfg)
    if "benchmark" in cfg:
        from framework.commands import doctor_benchmark

        doctor_benchmark.run(cfg)
    if named or "benchmark" in cfg:
        return
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    bad, last = 0, ""
    for part in (_versions, _readers, _devices, _attention, _weights, _places, _tracking):
        for finding in part(cfg):
            mark = MARKS[finding.state]
            name = "" if finding.part == last else finding.part
            table.add_row(Text(name, style="bold"), Text(*mark), Text(finding.what), Text(finding.detail))
            last, bad = finding.part, bad + (finding.state == "bad")
    out = console()
    out.print(table)
    out.print(f"\nmissing, though needed: {bad}" if bad else "\nall that is needed is here")
    if bad:
        sys.exit(1)


def _backbone(cfg: DictConfig) -> None:
    """Whether the weights are here; where the run is described, what it needs of memory, with or without them."""
    typed = {word.partition("=")[0].partition(".")[0] for word in HydraConfig.get().overrides.task}
    if not typed & PLANNED:
        doctor_backbone.run(cfg)
        return
    from framework.commands import doctor_memory

    doctor_backbone.tell(cfg)
    doctor_memory.run(cfg)


def _versions(cfg: DictConfig) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("versions", "python", "ok" if sys.version_info >= (3, 11) else "bad", python)
    for names, absent in ((NEEDED, "bad"), (OPTIONAL, "missing")):
        for name in names:
            try:
                yield Finding("versions", name, "ok", version(name))
            except PackageNotFoundError:
                yield Finding("versions", name, absent, f"not installed: pip install {name}")


def _readers(cfg: DictConfig) -> Iterator[Finding]:
    """Every reader decodes a small made file."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "doctor.mp4"
        _film(video)
        for name, needed in (("decord", False), ("pyav", True), ("torchcodec", False)):
            yield _tried("readers", name, lambda name=name: _read(name, video), needed)  # type: ignore[misc]


def _film(path: Path) -> None:
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in SHADES:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), shade, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _read(name: str, video: Path) -> str:
    from omegaconf import OmegaConf

    from framework.config.build import build
    from framework.video.readers.base import Reader

    node = cast(DictConfig, OmegaConf.load(CONF / "reader" / f"{name}.yaml"))
    reader = build(node, Reader, f"reader={name}")  # type: ignore[type-abstract]
    shades = [float(picture.float().mean()) for _, picture in reader.decode(str(video), range(len(SHADES)))]
    if any(abs(found - shade) > NEAR for found, shade in zip(shades, SHADES, strict=True)):
        raise ValueError(f"decodes grey {SHADES} as {[round(shade) for shade in shades]}")
    return f"decodes H.264 ({len(shades)} frames)"


def _tried(part: str, name: str, attempt: Callable[[], str], needed: bool) -> Finding:
    """The outcome of an attempt; whatever it raises is its detail."""
    try:
        return Finding(part, name, "ok", attempt())
    except Exception as error:  # anything that a broken installation may raise
        return Finding(part, name, "bad" if needed else "missing", str(error).splitlines()[0].split(". ")[0])


def _devices(cfg: DictConfig) -> Iterator[Finding]:
    import torch

    yield Finding("devices", "cpu", "ok", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")
    if not torch.cuda.is_available():
        yield Finding("devices", "cuda", "missing", "none: everything runs on the CPU")
    for i in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(i)
        yield Finding("devices", f"cuda:{i}", "ok", f"{about.name}, {about.total_memory / 2**30:.0f} GiB")


def _attention(cfg: DictConfig) -> Iterator[Finding]:
    """The kernels behind scaled dot-product attention, each tried alone."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    query = torch.randn(1, 2, 8, 16, device=device, dtype=dtype)

    def attend(kernel: SDPBackend) -> str:
        with sdpa_kernel(kernel):
            torch.nn.functional.scaled_dot_product_attention(query, query, query)
        return f"runs on {device} in {str(dtype).removeprefix('torch.')}"

    kernels = {
        "math": SDPBackend.MATH,
        "flash": SDPBackend.FLASH_ATTENTION,
        "efficient": SDPBackend.EFFICIENT_ATTENTION,
    }
    for name, kernel in kernels.items():
        yield _tried("attention", f"sdpa {name}", lambda kernel=kernel: attend(kernel), name == "math")  # type: ignore[misc]
    yield _tried("attention", "flash_attention_2", _flash, False)


def _flash() -> str:
    importlib.import_module("flash_attn")
    return f"flash-attn {version('flash-attn')}"


def _weights(cfg: DictConfig) -> Iterator[Finding]:
    for place in sorted(path.parent for path in ASSETS.glob("*/*.safetensors")):
        size = sum(file.stat().st_size for file in place.glob("*.safetensors")) / 2**20
        yield Finding("weights", f"{SHIPPED}{place.name}", "ok", f"{size:.1f} MiB")
    there, said = doctor_backbone.look(str(cfg.backbone.adapter.checkpoint))
    if not there:
        yield Finding("weights", str(cfg.backbone.adapter.checkpoint), "bad", said)


def _places(cfg: DictConfig) -> Iterator[Finding]:
    yield Finding("places", "conf", "ok" if (CONF / "config.yaml").exists() else "bad", str(CONF))
    for name, folder in plugin_folders().items():
        yield Finding("places", f"plug-in {name}", "ok", str(folder))
    cache = Path("~/.cache").expanduser()
    for name, place in (("cache", cache), ("temporary files", Path(tempfile.gettempdir())), ("results", Path.cwd())):
        there = next(parent for parent in (place, *place.parents) if parent.exists())
        free = shutil.disk_usage(there).free
        yield Finding("places", name, "ok" if free > LEAST_FREE else "bad", f"{place}, {free / 2**30:.0f} GiB free")


def _tracking(cfg: DictConfig) -> Iterator[Finding]:
    mode = os.environ.get("WANDB_MODE", "online")
    key = bool(os.environ.get("WANDB_API_KEY")) or "api.wandb.ai" in _netrc()
    yield Finding(
        "tracking", "W&B", "ok" if key else "missing", f"mode {mode}, {'a key' if key else 'no key: runs stay offline'}"
    )


def _netrc() -> str:
    file = Path("~/.netrc").expanduser()
    return file.read_text(encoding="utf-8", errors="replace") if file.is_file() else ""
