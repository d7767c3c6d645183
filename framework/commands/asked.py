"""What `sieve ask` was asked: one question or several, typed or from a file, checked before anything heavy is loaded.

Questions are texts as typed; knows no template and no model.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig

from framework.benchmarks.tables import Row, read_lines
from framework.config.quoting import quote
from framework.core.errors import UsageError
from framework.core.home import at_home

COLUMNS = ("question", "options", "id")
PICTURES = ("png", "pdf", "svg")
TYPED = "question="


@dataclass(frozen=True)
class Asked:
    """Holds one question as it was asked."""

    id: str
    text: str
    options: tuple[str, ...]  # none: an open question


def words(typed: Sequence[str]) -> list[str]:
    """Returns the words of a command line, with `question=A question=B` gathered into one list of literal texts."""
    texts = [word.removeprefix(TYPED) for word in typed if word.startswith(TYPED)]
    if len(texts) < 2:
        return list(typed)
    rest = [word for word in typed if not word.startswith(TYPED)]
    first = next(place for place, word in enumerate(typed) if word.startswith(TYPED))
    # with ++ the word is no `question=` any more, whose value would be quoted as one text
    return [*rest[:first], f"++question=[{','.join(map(quote, texts))}]", *rest[first:]]


def asked(cfg: DictConfig) -> tuple[str, list[Asked]]:
    """Returns the path of the video and what is asked about it, one question at least.

    Raises UsageError that names the key, or the file and its line, for what cannot be asked.
    """
    video = _video(cfg.video)
    options = tuple(str(option) for option in cfg.options)
    _check_options(options, "options")
    if cfg.questions:
        if cfg.question:
            raise UsageError("question: got questions of both question= and questions=, expected one of the two")
        return video, _from_file(at_home(str(cfg.questions), "questions"), options)
    typed = [str(text) for text in cfg.question] if isinstance(cfg.question, ListConfig) else [str(cfg.question or "")]
    several = len(typed) > 1
    found: dict[str, Asked] = {}
    for number, text in enumerate(typed, 1):
        if not text.strip():
            where = f"question {number} of {len(typed)}" if several else "question"
            raise UsageError(f'{where}: got nothing, expected a text: question="what color is the star ?"')
        if text.strip() in found:
            raise UsageError(f"question: the same question twice, got {text!r}; expected each once")
        found[text.strip()] = Asked(str(number) if several else "ask", text, options)
    return video, list(found.values())


def picture(cfg: DictConfig) -> str | None:
    """Returns the format of the picture that is wanted, or None. Raises UsageError for an unknown one."""
    if cfg.picture is None or cfg.picture is False:
        return None
    if cfg.picture is not True and cfg.picture not in PICTURES:
        raise UsageError(f"picture: got {cfg.picture!r}, expected one of {', '.join(PICTURES)}, or false for none")
    return PICTURES[0] if cfg.picture is True else str(cfg.picture)


def _video(typed: Any) -> str:
    if not typed:
        raise UsageError("video: got nothing, expected a file: video=FILE")
    video = Path(os.path.expanduser(str(typed)))  # pathlib's own refuses ~NAME where no user is called so
    if not video.is_file():
        raise UsageError(f"video: there is no file {str(typed)!r}; expected the path of a video file")
    return str(video)


def _check_options(options: Sequence[str], key: str) -> None:
    if len(options) == 1:
        raise UsageError(
            f"{key}: one option is no choice, got {list(options)}; give at least two, or none for an open question"
        )
    if len(set(options)) < len(options):
        raise UsageError(f"{key}: the same option twice, got {list(options)}")


def _from_file(file: Path, options: tuple[str, ...]) -> list[Asked]:
    """The questions of a file; `options` are those of lines that have none of their own."""
    if not file.is_file():
        raise UsageError(f"questions: there is no file {str(file)!r}; expected one JSON object per line")
    found: list[Asked] = []
    lines: dict[Any, int] = {}  # id, or text and options -> where it stands
    for number, (line, row) in enumerate(read_lines(file), 1):
        one = _row(row, f"{file}, line {line}", str(number), options)
        for what, key in ((f"id {one.id!r}", one.id), ("same question", (one.text.strip(), one.options))):
            if (before := lines.setdefault(key, line)) != line:
                raise UsageError(f"{file}, line {line}: the {what} as in line {before}; expected each once")
        found.append(one)
    if not found:
        raise UsageError(f"questions: {file} holds no question; expected one JSON object per line")
    return found


def _row(row: Row, where: str, number: str, options: tuple[str, ...]) -> Asked:
    """One line as a question. Raises UsageError that begins with `where`."""
    if unknown := sorted(row.keys() - set(COLUMNS)):
        hint = "; answers are checked by sieve eval benchmark=jsonl" if unknown[0] == "answer" else ""
        raise UsageError(f"{where}: unknown key {unknown[0]!r}; expected some of {', '.join(COLUMNS)}{hint}")
    text, own, identity = row.get("question"), row.get("options"), row.get("id")
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{where}: question must be a text that is not empty, got {text!r}")
    if own is not None and not (isinstance(own, list) and all(isinstance(o, str) and o.strip() for o in own)):
        raise UsageError(f"{where}: options must be a list of texts, got {own!r}; an empty list is an open question")
    if isinstance(identity, bool) or not isinstance(identity, str | int | None) or identity == "":
        raise UsageError(f"{where}: id must be a text or a whole number, got {identity!r}")
    chosen = options if own is None else tuple(own)
    _check_options(chosen, f"{where}: options")
    return Asked(number if identity is None else str(identity), text, chosen)
