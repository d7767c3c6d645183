"""What to call runs, and what they differ in: their preset, and the keys that differ among the runs of one preset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from framework.config.groups import NO_RESULT
from framework.config.identity import LOCATIONS
from framework.evaluation.runs import Run

SILENT = (
    "preset",
    "benchmark",
    "recording",
    "ablation",
    "debug",
    *NO_RESULT,
    *LOCATIONS,
)  # keys that name no method
NOT_SET = "not set"
LONGEST = 3  # keys in a name that was not typed


@dataclass(frozen=True)
class Difference:
    """Describes a resolved configuration key, or a version, that differs between a run and the reference."""

    benchmark: str
    run: str
    key: str
    reference: str
    value: str


def name_runs(parts: Sequence[Sequence[Run]]) -> list[list[Run]]:
    """Returns the same runs with names.

    A given name stays. Another one is the preset and what differs, as short as tells the runs of a part apart. The same
    configuration has the same name on every benchmark. What still cannot be told apart gets its folder's name.
    """
    runs = [run for part in parts for run in part if not run.name]
    names = {id(run): run.name for part in parts for run in part}
    for _, group in groupby(sorted(runs, key=_base), key=_base):
        same = list(group)
        members = {id(run) for run in same}
        for describe in (_alone, _typed(same), _resolved(same), _folder):
            names |= {id(run): " ".join(filter(None, (_base(run), describe(run)))) or run.id for run in same}
            if all(_distinct([names[id(run)] for run in part if id(run) in members]) for part in parts):
                break
    return [_told_apart([replace(run, name=names[id(run)]) for run in part]) for part in parts]


def differences(run: Run, reference: Run, benchmark: str) -> list[Difference]:
    """Lists every resolved key and version that differs; `not set` where one side lacks it."""
    found = []
    for prefix, ours, theirs in (("", run.config, reference.config), ("versions.", run.versions, reference.versions)):
        for key in sorted({*ours, *theirs}):
            values = theirs.get(key, NOT_SET), ours.get(key, NOT_SET)
            if values[0] != values[1]:
                found.append(Difference(benchmark, run.name, prefix + key, *values))
    return found


def _base(run: Run) -> str:
    return run.preset or ("" if run.folder.name == run.id else run.folder.name)


def _alone(run: Run) -> str:
    return ""


def _folder(run: Run) -> str:
    return run.folder.name


def _typed(same: Sequence[Run]) -> Callable[[Run], str]:
    """Overrides whose values differ among these runs, as typed."""
    typed = {id(run): dict(_pairs(run.overrides)) for run in same}
    keys = dict.fromkeys(key for pairs in typed.values() for key in pairs)
    varied = [key for key in keys if len({pairs.get(key) for pairs in typed.values()}) > 1]
    return lambda run: " ".join(f"{key}={typed[id(run)][key]}" for key in varied if key in typed[id(run)])


def _resolved(same: Sequence[Run]) -> Callable[[Run], str]:
    """Resolved keys whose values differ among these runs, if they are few."""
    keys = sorted({key for run in same for key in run.config if key.split(".")[0] not in SILENT})
    varied = [key for key in keys if len({run.config.get(key) for run in same}) > 1]
    if len(varied) > LONGEST:
        return _alone
    return lambda run: " ".join(f"{key}={run.config[key]}" for key in varied if key in run.config)


def _pairs(overrides: Sequence[str]) -> list[tuple[str, str]]:
    pairs = (override.lstrip("+").partition("=") for override in overrides)
    return [(key, value) for key, _, value in pairs if key.split(".")[0].split("@")[0] not in SILENT]


def _distinct(names: Sequence[str]) -> bool:
    return len(set(names)) == len(names)


def _told_apart(part: Sequence[Run]) -> list[Run]:
    """Names that several runs of a part share get a number."""
    seen: dict[str, int] = {}
    told = []
    for run in part:
        seen[run.name] = seen.get(run.name, 0) + 1
        told.append(run if seen[run.name] == 1 else replace(run, name=f"{run.name} ({seen[run.name]})"))
    return told
