"""What a run has stored, held against what its benchmark asks now: words, right answers, evidence, video files.

An answer counts as long as its question, its video and its evidence are what they were. Its score is always that of
today's annotations, computed from the stored response.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from framework.benchmarks.base import Benchmark, Item, VideoItem
from framework.core.errors import UsageError
from framework.core.types import Answer
from framework.evaluation.journal import jsonable
from framework.evaluation.metrics import prompt_hash, scored_fields
from framework.evaluation.results import journal

NAMED = 5  # videos that a message names
Asked = Mapping[str, tuple[VideoItem, Item]]  # question -> where it is asked
Line = dict[str, Any]
_log = logging.getLogger(__name__)


def asked_now(benchmark: Benchmark) -> Asked:
    """Returns all questions that the benchmark has now, by id."""
    videos = (benchmark.outline(index) for index in range(len(benchmark)))
    return {item.question.id: (video, item) for video in videos for item in video.items}


@dataclass(frozen=True)
class Source:
    """Names the files that the answers about one video come from."""

    files: Sequence[Path]
    hashed: bool = True  # whether files of another time may still be the same; reading them whole is worth it

    def line(self, video: VideoItem) -> Line | None:
        """Describes the files and the evidence in the video, as a line of sources.jsonl; None where one is missing."""
        if (state := self.state()) is None:
            return None
        return {"id": video.id, **state, "digest": self.digest(), "evidence": _evidence(video)}

    def state(self) -> dict[str, int] | None:
        """Returns size and time of the last change; None where a file is missing."""
        if not self.files or not all(file.is_file() for file in self.files):
            return None
        found = [file.stat() for file in self.files]
        return {"size": sum(one.st_size for one in found), "modified": max(one.st_mtime_ns for one in found)}

    def digest(self) -> str | None:
        """Returns a name for what is in the files; None where they are not to be read for that."""
        if not self.hashed:
            return None
        together = hashlib.blake2b(digest_size=16)
        for path in self.files:
            with open(path, "rb") as file:
                hashlib.file_digest(file, lambda: together)
        return together.hexdigest()

    def changed(self, before: Line) -> bool:
        """Says whether the files are others than those of an earlier line. Missing files are not."""
        state = self.state()
        if state is None or state.items() <= before.items():
            return False
        return state["size"] != before["size"] or before.get("digest") is None or before["digest"] != self.digest()


def video_file(video: VideoItem) -> Source:
    """Returns the video file itself as what answers come from."""
    return Source((Path(video.path),))


def refresh(folder: Path, benchmark: Benchmark, asked: Asked, source: Callable[[VideoItem], Source]) -> None:
    """Brings the journals of a run up to date with its benchmark, before anything is asked.

    Answers about a changed video move to a file beside, so that they are asked again. Answers are scored again. One
    line says each. Raises UsageError where a question was answered in other words.
    """
    questions = journal(folder, "questions")
    known = {line["id"]: line for line in questions.lines if line["id"] in asked}
    for name, line in known.items():
        if line["prompt"] != prompt_hash(asked[name][1].question):
            raise UsageError(
                f"question {name} was answered in other words before: the benchmark's files have changed since "
                f"{folder} was begun; take another folder (key: hydra.run.dir) or remove it"
            )
    if stale := _renew(folder, known, asked, source):
        questions = journal(folder, "questions")
        videos = list(dict.fromkeys(str(known[name]["video"]) for name in stale))
        named = ", ".join(videos[:NAMED]) + (f" and {len(videos) - NAMED} more" if len(videos) > NAMED else "")
        said = "%d questions are asked again, since their video or the evidence in it has changed: %s"
        _log.warning(said, len(stale), named)
    scored = [_scored(line, benchmark, asked) for line in questions.lines]
    if again := sum(new != old for new, old in zip(scored, questions.lines, strict=True)):
        questions.replace(scored)
        _log.warning("%d answers are scored again, since the benchmark's annotations have changed", again)


def _renew(
    folder: Path, known: Mapping[str, Line], asked: Asked, source: Callable[[VideoItem], Source]
) -> Sequence[str]:
    """Moves the answers that count no more aside, and brings sources.jsonl up to date. Returns their questions."""
    sources = journal(folder, "sources")
    before = {line["id"]: line for line in sources.lines}
    after, stale = dict(before), dict[str, None]()
    videos = {video.id: video for video, _ in asked.values()}
    answered = {asked[name][0].id for name in known}
    for video in (video for video in videos.values() if video.id in before or video.id in answered):
        now, was, files = _evidence(video), before.get(video.id), source(video)
        state = files.state()
        if was is None:  # of a run that kept no sources: from now on they count
            if state is not None:
                after[video.id] = {"id": video.id, **state, "digest": None, "evidence": now}
        elif files.changed(was):
            stale |= dict.fromkeys(name for name in now if name in known)
            del after[video.id]  # it is written down anew when the video is looked at
        else:
            stale |= dict.fromkeys(
                name for name in now if name in known and was["evidence"].get(name, now[name]) != now[name]
            )
            after[video.id] = {**was, **(state or {}), "evidence": {**was["evidence"], **now}}
    stale |= dict.fromkeys(name for name, line in known.items() if line["video"] != asked[name][0].id)
    for name in ("questions", "timings"):
        journal(folder, name).retire(stale)
    if after != before:
        sources.replace(list(after.values()))
    return list(stale)


def _evidence(video: VideoItem) -> Line:
    """Question -> spans, as they come back from disk."""
    found: Line = jsonable({item.question.id: item.evidence for item in video.items})
    return found


def _scored(line: Line, benchmark: Benchmark, asked: Asked) -> Line:
    """A stored line as the benchmark scores it now."""
    if line["id"] not in asked:
        return line
    _, item = asked[line["id"]]
    answer = Answer(line["answer"], line.get("choice"), tuple(line.get("probabilities") or ()), line.get("entropy"))
    fields: Line = jsonable(scored_fields(item, benchmark.score(item, answer)))
    return {**line, **{key: value for key, value in fields.items() if key in line}}
