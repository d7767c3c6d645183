"""`sieve doctor backbone=NAME frames=N budget=B`: what a run would need of memory, whether that fits, and what helps.

Counts sizes of a configuration; no weight is read or needed. What is predicted is compared with what processes take in
`sieve bench what=fit`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table
from rich.text import Text
from transformers import AutoConfig

from framework.backbones.beside import quiet
from framework.backbones.checkpoint import KEY, cached, on_disk
from framework.backbones.memory import Memory, Run, predict
from framework.backbones.published import configuration
from framework.backbones.shape import Shape, shape_of
from framework.config.build import build_plain, plain_node
from framework.config.planned import Film, run_of
from framework.core.errors import UsageError
from framework.profiling.checks import free_bytes
from framework.report.console import console

GIB = 2**30
ERROR = 1.15  # a run that takes this much more than predicted would still fit
WORTH = 0.99  # of the peak: a change that leaves more is no help
MOST_DEVICES = 16
KERNELS = {"fla": "flash-linear-attention", "causal_conv1d": "causal-conv1d"}  # module -> package


@dataclass(frozen=True)
class Device:
    """Holds what there is: `count` devices of `memory` GiB each. None: what this machine has."""

    memory: float | None
    count: int | None

    def __post_init__(self) -> None:
        if self.memory is not None and not self.memory > 0:
            raise ValueError(f"memory must be GiB above 0, or null for what is here; got {self.memory}")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count must be a whole number >= 1, or null for what is here; got {self.count}")

    @property
    def cuda(self) -> bool:
        """Says whether the model has a device of its own: one that was described, or one that is here."""
        return self.memory is not None or torch.cuda.is_available()

    @property
    def devices(self) -> int:
        """Counts the devices."""
        return self.count or max(1, torch.cuda.device_count())

    @property
    def bytes(self) -> float:
        """Returns the memory of one device; infinity where the system does not say."""
        if self.memory is not None:
            return self.memory * GIB
        return torch.cuda.get_device_properties(0).total_memory if self.cuda else free_bytes("cpu")


@dataclass(frozen=True)
class Plan:
    """Holds a run on devices, and how its model is shared out among them."""

    shape: Shape
    run: Run
    devices: int
    cuda: bool
    mapped: bool  # by a device map
    cut: bool  # tensor parallel

    @property
    def memory(self) -> Memory:
        """Predicts the memory of one device that holds all."""
        return predict(self.shape, self.run)

    @property
    def peak(self) -> int:
        """Computes the largest peak of a device, in bytes; on the CPU with all that waits there."""
        memory = self.memory
        if self.devices > 1 and (self.mapped or self.cut):
            return max(self._shared(memory, stage) for stage in memory.stages)
        return memory.device + (0 if self.cuda else memory.host)

    def _shared(self, memory: Memory, stage: str) -> int:
        """A device's part of weights, keys and values, and the whole of what else a stage holds.

        A map puts whole layers on a device, so that one may hold a layer more than its part.
        """
        parts, item = memory.stages[stage], self.run.item
        caches = parts.get("keys and values", 0)
        whole = self.shape.tower.parameters * item if self.cut else self.shape.layer_parameters * item
        weights = self.shape.text_parameters * item if self.cut else memory.weights
        return whole + (weights + caches) // self.devices + sum(parts.values()) - caches


def run(cfg: DictConfig) -> None:
    """Prints the parts of what a run needs, whether it fits, what would help, and what to know of the family.

    The exit status is 1 where it does not fit. Raises UsageError where the sizes of the model are not known, and where
    two models are to work.
    """
    if cfg.get("prober") is not None:
        raise UsageError(
            "prober: memory is predicted of one model at a time; ask without prober=, then with backbone= of the prober"
        )
    film = build_plain(cfg.film, Film, "film")
    device = build_plain(cfg.device, Device, "device")
    adapter = plain_node(cfg.backbone.adapter, "backbone.adapter")
    shape = shape_of(config_of(str(adapter["checkpoint"])))
    run = run_of(cfg, shape, film, device.cuda)
    mapped = adapter["device_map"] is not None
    plan = Plan(shape, run, device.devices, device.cuda, mapped, bool(adapter["tensor_parallel"]))
    out = console()
    show(out, plan, film)
    fits = judge(out, plan, device.bytes)
    for warning in warnings(plan, int(cfg.backbone.reference_layer)):
        out.print(Text(f"! {warning}", "yellow"), soft_wrap=True)
    if not fits:
        sys.exit(1)


def config_of(checkpoint: str) -> Any:
    """Returns the configuration of a checkpoint: its own, where it is here, or the published sizes.

    Raises UsageError where neither is known.
    """
    published = configuration(checkpoint)
    try:
        folder = on_disk(checkpoint) or cached(checkpoint)
    except UsageError:
        if published is None:
            raise
        folder = None
    if folder is not None:
        with quiet():
            return AutoConfig.from_pretrained(folder, local_files_only=True)
    if published is None:
        raise UsageError(
            f"{KEY}: the sizes of {checkpoint} are not known here, and its config.json is not on this machine: "
            f"download that file and set {KEY}=FOLDER"
        )
    return published


def show(out: Console, plan: Plan, film: Film) -> None:
    """Prints what is looked at, then a row for each part of the memory."""
    run, memory = plan.run, plan.memory
    text = f", {run.tick_text:.1f} tokens of text around each" if run.tick_text else ""
    out.print(
        f"\n{run.ticks} ticks of {run.tokens} tokens in frames of {run.height} x {run.width}{text}; groups of "
        f"{run.group} ticks; {run.kept} tokens kept; {film.questions} questions of {film.words} tokens",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("GiB", "what", "where"):
        table.add_column(name, justify="right" if name == "GiB" else "left")
    place = "device" if plan.cuda else "RAM"
    table.add_row(_gib(memory.weights), f"weights, {plan.shape.parameters / 1e9:.2f} billion", place)
    for stage, parts in memory.stages.items():
        for what, size in parts.items():
            table.add_row(_gib(size), f"{stage}: {what}", place)
    table.add_row(_gib(memory.parked), "parked candidates and scores", "RAM")
    table.add_row(_gib(memory.pixels), "frames that wait", "RAM")
    out.print(table)


def judge(out: Console, plan: Plan, there: float) -> bool:
    """Prints whether the largest peak fits into `there` bytes, and what would make it fit. Returns whether it does."""
    memory, need = plan.memory, plan.peak
    among = f" on each of {plan.devices} devices" if plan.devices > 1 and (plan.mapped or plan.cut) else ""
    told = f"{_gib(need)} GiB{among} at the peak ({memory.worst}), {_gib(there)} GiB there"
    if need * ERROR <= there:
        out.print(Text(f"✓ fits: {told}", "green"), soft_wrap=True)
        return True
    if need <= there:
        out.print(Text(f"✓ fits just: {told}; the prediction may be wrong by 15 %", "yellow"), soft_wrap=True)
        return True
    out.print(Text(f"✗ does not fit: {told}", "red"), soft_wrap=True)
    for key, better in helps(plan, there):
        fits = "fits" if better * ERROR <= there else "not enough alone"
        out.print(f"  {key}: {_gib(better)} GiB, {fits}", soft_wrap=True)
    return False


def helps(plan: Plan, there: float) -> Iterator[tuple[str, int]]:
    """Yields what may be changed, as words of the command line, and the peak that it leads to, in bytes."""
    run = plan.run
    ways: dict[str, list[tuple[int, Run]]] = {
        "backbone.group_ticks": [(value, replace(run, group=value)) for value in _halves(run.group)],
        "budget": [(value, _cheaper(run, value)) for value in _halves(run.budget)],
        "backbone.adapter.questions_per_pass": [
            (value, replace(run, per_pass=value)) for value in _halves(run.per_pass)
        ],
    }
    for key, changes in ways.items():
        tried = [(value, replace(plan, run=changed).peak) for value, changed in changes]
        if better := [(value, peak) for value, peak in tried if peak < WORTH * plan.peak]:
            least = min(better, key=lambda one: (one[1], -one[0]))
            value, peak = next((one for one in better if one[1] * ERROR <= there), least)
            yield f"{key}={value}", peak
    if run.item == 4:
        yield "backbone.adapter.dtype=bfloat16", replace(plan, run=replace(run, item=2)).peak
    if plan.cuda and not plan.cut:
        spread = [
            (count, replace(plan, mapped=True, devices=count).peak)
            for count in range(plan.devices if plan.mapped else 2, MOST_DEVICES + 1)
        ]
        count, peak = next(((c, p) for c, p in spread if p * ERROR <= there), spread[-1])
        yield f"backbone.adapter.device_map=auto on {count} such devices", peak


def warnings(plan: Plan, reference_layer: int) -> Iterator[str]:
    """Yields what to know of the family, a sentence each."""
    shape, run = plan.shape, plan.run
    lost = [package for module, package in KERNELS.items() if find_spec(module) is None]
    if shape.states and lost:
        yield (
            f"{shape.layers - len(shape.attention)} of {shape.layers} layers are recurrent, and run slowly without "
            f"{' and '.join(lost)}: pip install {' '.join(lost)}"
        )
    if (text := round(run.tick_text * run.kept_ticks)) > run.budget:
        yield (
            f"text around ticks may take {text:,} tokens of the final pass, against a budget of {run.budget:,}: take "
            "fewer frames, or a method that keeps few ticks"
        )
    if reference_layer < shape.levels:
        yield (
            f"backbone.reference_layer={reference_layer} lies below layer {shape.levels}, from which on the language "
            "model has all features of the tower: set it higher"
        )
    if not shape.cut:
        yield (
            f"backbone.adapter.tensor_parallel cannot serve it: transformers has no plan for text models of type "
            f"{shape.text_kind!r}; backbone.adapter.device_map=auto can"
        )


def _cheaper(run: Run, budget: int) -> Run:
    return replace(run, budget=budget, candidates=run.candidates * budget // run.budget)


def _halves(value: int) -> tuple[int, ...]:
    found = []
    while value > 1:
        value //= 2
        found.append(value)
    return tuple(found)


def _gib(size: float) -> str:
    return f"{size / GIB:.2f}"
