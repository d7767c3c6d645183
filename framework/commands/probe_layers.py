"""`sieve probe-layers`: the reference layer of a backbone, found with needles whose place is known."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig
from rich.progress import track
from rich.table import Table

from framework.backbones.base import DecoderBackbone
from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.config.build import build, build_plain
from framework.config.parts import build_backbone
from framework.core.errors import UsageError
from framework.core.types import Group, Layout, Timeline, Tokens
from framework.core.view import Needs
from framework.evaluation.evidence import shown_in
from framework.evaluation.journal import jsonable
from framework.evaluation.layer_probe import Point, average, best, evidence_mask, quality, readings
from framework.report.console import console
from framework.report.layer_probe import draw
from framework.video.readers.base import Reader
from framework.video.sampling import Sampling
from framework.video.stream import FrameSource
from framework.video.timeline import timeline as make_timeline


def run(cfg: DictConfig) -> dict[str, Any]:
    """Probes every layer, prints the table, and writes profile.json and profile.png.

    Returns what profile.json holds.
    """
    benchmark = build(cfg.benchmark, Benchmark, "benchmark")  # type: ignore[type-abstract]
    reader = build(cfg.reader, Reader, "reader")  # type: ignore[type-abstract]
    sampling = build_plain(cfg.backbone.sampling, Sampling, "backbone.sampling")
    backbone = build_backbone(cfg)
    if not isinstance(backbone, DecoderBackbone):
        raise UsageError(f"backbone: {type(backbone).__name__} has no decoder layers whose attention could be captured")
    terminal = console(stderr=True)
    videos = track(
        benchmark, "probing", len(benchmark), console=terminal, disable=not (cfg.progress and terminal.is_terminal)
    )
    found: dict[tuple[int, str, str], list[tuple[float, float]]] = defaultdict(list)
    chance: list[float] = []
    for video in videos:
        timeline = make_timeline(video.path, sampling, backbone.frames_per_tick, reader, backbone.tick_time)
        for tokens, layout, item in _groups(backbone, reader, timeline, video, cfg.probed.group_ticks):
            mask = evidence_mask(layout, tokens.seconds.cpu(), item.evidence, *shown_in(item))
            needs = Needs(attention=backbone.attention_layers)
            (probe,) = backbone.probe(tokens, [item.question], needs)
            attention = {layer: captured.float().cpu() for layer, captured in probe.attention.items()}
            for key, values in readings(attention, probe.rows).items():
                found[key].append(quality(values, mask))
            chance.append(float(mask.float().mean()))
    return _conclude(average(found), cfg, len(chance), sum(chance) / len(chance))


def _groups(
    backbone: DecoderBackbone, reader: Reader, timeline: Timeline, video: VideoItem, size: int
) -> Iterator[tuple[Tokens, Layout, Item]]:
    """For every question one group of `size` neighbouring ticks with its (first) evidence somewhere in it."""
    info = reader.info(timeline.path)
    shape = backbone.frame_size(info.height, info.width)
    for number, item in enumerate(video.items):
        if not item.evidence:
            raise UsageError("benchmark: its questions do not say where their evidence is; use benchmark=needle")
        first, last = item.evidence[0]
        here = ((timeline.seconds >= first) & (timeline.seconds < last)).nonzero()[:, 0]
        lead = number % max(1, size - len(here) + 1)  # ticks before the evidence: another place in every question
        start = min(max(0, int(here[0]) - lead), max(0, len(timeline) - size))
        group = Group(0, torch.arange(start, min(start + size, len(timeline))))
        layout = backbone.layout(group.ticks, *shape)
        with FrameSource(timeline, reader, shape, [group]) as source:
            yield backbone.encode(source.frames(group), layout), layout, item


def _conclude(points: list[Point], cfg: DictConfig, probes: int, chance: float) -> dict[str, Any]:
    rows, heads = str(cfg.probed.rows), str(cfg.probed.heads)
    usual = [point for point in points if (point.rows, point.heads) == (rows, heads)]
    chosen, winner = best(usual or points), best(points)
    folder = Path(HydraConfig.get().runtime.output_dir)
    data = {
        "best": asdict(chosen),
        "best_of_all_readings": asdict(winner),
        "probes": probes,
        "chance_share": chance,
        "points": [asdict(point) for point in points],
    }
    (folder / "profile.json").write_text(json.dumps(jsonable(data), indent=1) + "\n", encoding="utf-8")
    draw(folder / "profile.png", points, chance)
    out = console()
    out.print(_table(points, heads, chosen))
    out.print(
        f"{probes} probes; share: of the top k tokens, for k evidence tokens (chance {chance:.3f}); AUROC: chance .5"
    )
    now = cfg.probed.layer
    verdict = "as it is" if now == chosen.layer else f"it is {now} now"
    out.print(f"\nbackbone.reference_layer: {chosen.layer}   ({verdict}; rows {chosen.rows}, heads {chosen.heads})")
    if winner != chosen:
        out.print(f"all readings: layer {winner.layer}, rows {winner.rows}, heads {winner.heads}: {winner.share:.3f}")
    out.print(f"details   {folder / 'profile.json'}\npicture   {folder / 'profile.png'}", soft_wrap=True)
    return data


def _table(points: list[Point], heads: str, chosen: Point) -> Table:
    """Layers down, text rows across; each cell the share and the AUROC."""
    names = list(dict.fromkeys(point.rows for point in points))
    table = Table(title=f"share of top tokens on the evidence / AUROC, {heads} over heads", title_justify="left")
    table.add_column("layer", justify="right")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    at = {(point.layer, point.rows): point for point in points if point.heads == heads}
    for layer in sorted({point.layer for point in points}):
        cells = [
            f"{at[layer, name].share:.2f} / {at[layer, name].auroc:.3f}" if (layer, name) in at else ""
            for name in names
        ]
        table.add_row(str(layer), *cells, style="bold green" if layer == chosen.layer else "")
    return table
