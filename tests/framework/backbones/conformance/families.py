"""Every family that is held to its stock model."""

from __future__ import annotations

from tests.framework.backbones.conformance import framed, qwen
from tests.framework.backbones.conformance.family import Family

FAMILIES: list[Family] = [*qwen.FAMILIES, *framed.FAMILIES]
