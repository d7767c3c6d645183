"""Renders a made-up video to pixels, at any size and any number of frames a second.

Textures gain octaves with the size, never beyond what the pixels can hold, so a larger rendering shows the same things
in more detail. One frame is held at a time, and things are drawn within their boxes only.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from strategies.learned.autogaze.training.synthetic_scene import Shot, Texture, Thing, shots

MARGIN = 0.25  # of ground around the unit square; beyond it is mirrored
OCTAVES = 10  # at most
NOISE_STREAM = 998
LARGEST = 4096  # pixels per side of a texture
LEAST_RADIUS = 0.01
STAR_POINTS, STAR_DEPTH = 5, 0.45
RING_WIDTH = 0.3


def render(seed: int, index: int, frames: int, size: int, fps: float) -> Tensor:
    """Renders frames 0..frames-1 of a video: u8 [frames, size, size, 3], RGB. More frames begin with the same ones."""
    takes = shots(seed, index, frames / fps)
    canvas = torch.empty(frames, size, size, 3, dtype=torch.uint8)
    drawn: dict[int, _Set] = {}
    for frame in range(frames):
        seconds = frame / fps
        number = max(i for i, take in enumerate(takes) if take.start <= seconds)
        if number not in drawn:
            drawn = {number: _Set(takes[number], size)}
        picture = drawn[number].frame(seconds - takes[number].start)  # [3, size, size]
        if takes[number].noise:
            # a stream per frame: what makes a frame independent of how many are rendered
            stream = np.random.default_rng([seed, index, NOISE_STREAM, frame])
            grain = torch.from_numpy(stream.standard_normal((3, size, size), dtype=np.float32))
            picture = picture + takes[number].noise * grain
        canvas[frame] = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    return canvas


class _Set:
    """A shot with its textures painted once, for frames of `size` pixels."""

    def __init__(self, shot: Shot, size: int) -> None:
        self.shot, self.size = shot, size
        self.ground = paint(shot.ground, 1 + 2 * MARGIN, round(size * (1 + 2 * MARGIN)))
        self.skins = [paint(t.texture, 1.0, max(8, math.ceil(2 * _radius(t, 0.0) * size))) for t in shot.things]

    def frame(self, seconds: float) -> Tensor:
        """F32 [3, size, size], about 0..1."""
        shot = self.shot
        scale = math.exp(-min(max(shot.zoom.at(seconds), -0.4), 0.7))  # of the unit square that is seen
        left, top = shot.x.at(seconds) - scale / 2, shot.y.at(seconds) - scale / 2
        steps = (torch.arange(self.size) + 0.5) / self.size * scale
        xs, ys = left + steps, top + steps  # on the ground
        grid = torch.stack(torch.meshgrid(ys, xs, indexing="ij")[::-1], -1)
        wide = 1 + 2 * MARGIN
        picture = _look(self.ground, (grid + MARGIN) / wide * 2 - 1)
        for thing, skin in zip(shot.things, self.skins, strict=True):
            if thing.seen[0] <= seconds < thing.seen[1]:
                self._draw(picture, thing, skin, seconds, xs, ys)
        return picture * shot.light.at(seconds)

    def _draw(self, picture: Tensor, thing: Thing, skin: Tensor, seconds: float, xs: Tensor, ys: Tensor) -> None:
        """Blend a thing into the part of the picture that it may cover."""
        radius, angle = _radius(thing, seconds), thing.angle.at(seconds)
        x, y = _bounced(thing.x.at(seconds)), _bounced(thing.y.at(seconds))
        pixel = float(xs[1] - xs[0])
        reach = radius * max(thing.aspect, 1 / thing.aspect) * math.sqrt(2) + pixel
        across = torch.nonzero((xs - x).abs() <= reach).flatten()
        down = torch.nonzero((ys - y).abs() <= reach).flatten()
        if not len(across) or not len(down):
            return
        rows, columns = slice(int(down[0]), int(down[-1]) + 1), slice(int(across[0]), int(across[-1]) + 1)
        dy, dx = torch.meshgrid(ys[rows] - y, xs[columns] - x, indexing="ij")
        u = (dx * math.cos(angle) + dy * math.sin(angle)) / (radius * thing.aspect)
        v = (dy * math.cos(angle) - dx * math.sin(angle)) / (radius / thing.aspect)
        cover = (0.5 - outside(thing.shape, u, v) * radius / pixel).clamp(0, 1)  # soft over one pixel
        part = picture[:, rows, columns]
        part += cover * (_look(skin, torch.stack([u, v], -1)) - part)


def outside(shape: str, u: Tensor, v: Tensor) -> Tensor:
    """Returns about how far (u, v) lies outside of a shape that fills -1..1; negative inside."""
    if shape == "box":
        return torch.maximum(u.abs(), v.abs()) - 1
    far = (u.square() + v.square()).sqrt()
    if shape == "ellipse":
        return far - 1
    if shape == "ring":
        return (far - (1 - RING_WIDTH)).abs() - RING_WIDTH
    edge = 1 - STAR_DEPTH * (0.5 - 0.5 * torch.cos(STAR_POINTS * torch.atan2(v, u)))
    return far - edge


def paint(texture: Texture, side: float, pixels: int) -> Tensor:
    """Returns a texture over a square of `side` units, f32 [3, pixels, pixels]; at most 4096 pixels a side."""
    pixels = min(pixels, LARGEST)
    value = torch.zeros(pixels, pixels)
    if texture.mix < 1:
        value += (1 - texture.mix) * _noise(texture, side, pixels)
    if texture.mix > 0:
        value += texture.mix * _pattern(texture, side, pixels)
    colours = torch.from_numpy(texture.colours).float()[..., None, None]
    return colours[0] + value * (colours[1] - colours[0])


def _noise(texture: Texture, side: float, pixels: int) -> Tensor:
    """Octaves of smooth noise, the finer ones only where a coarse one lets them through; about 0..1."""
    value, amplitude, total, gate = torch.zeros(pixels, pixels), 1.0, 0.0, torch.ones(())
    for octave in range(OCTAVES):
        cells = math.ceil(texture.coarsest * 2**octave * side)
        if 2 * cells > pixels and octave:
            break
        stream = np.random.default_rng([texture.seed, octave])
        lattice = torch.from_numpy(stream.random((1, 2, cells + 1, cells + 1), dtype=np.float32) * 2 - 1)
        layer = interpolate(lattice[:, :1], (pixels, pixels), mode="bicubic", align_corners=True)[0, 0]
        if octave == 0:
            gate = interpolate(lattice[:, 1:], (pixels, pixels), mode="bicubic", align_corners=True)[0, 0]
            gate = (0.5 + gate).clamp(0, 1)
        value += amplitude * (layer if octave < 2 else layer * gate)
        total += amplitude**2
        amplitude *= texture.roughness
    return (0.5 + 0.6 * value / math.sqrt(total)).clamp(0, 1)


def _pattern(texture: Texture, side: float, pixels: int) -> Tensor:
    """Stripes or checks with edges of one pixel, or one colour."""
    if texture.pattern == "plain":
        return torch.zeros(pixels, pixels)
    period = max(texture.period, 4 * side / pixels)
    at = (torch.arange(pixels) + 0.5) / pixels * side
    edge = period / (math.pi * side / pixels)  # how steep: from 0 to 1 over a pixel
    wave = torch.sin(2 * math.pi * at / period)
    both = wave * wave[:, None] if texture.pattern == "checks" else wave.expand(pixels, -1)
    return (0.5 + 0.5 * both * edge).clamp(0, 1)


def _look(texture: Tensor, grid: Tensor) -> Tensor:
    """A texture [3, P, P] at [h, w, 2] places within -1..1, mirrored beyond."""
    return grid_sample(
        texture[None], grid[None].float(), mode="bilinear", padding_mode="reflection", align_corners=False
    )[0]


def _radius(thing: Thing, seconds: float) -> float:
    return max(thing.radius.at(seconds), LEAST_RADIUS)


def _bounced(place: float) -> float:
    """Within 0..1, thrown back at the borders."""
    return 1 - abs(1 - place % 2)
