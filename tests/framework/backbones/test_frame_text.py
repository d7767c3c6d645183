"""Text around frames and its places, counted by hand."""

from __future__ import annotations

import pytest
import torch

from framework.backbones.frame_text import FrameText
from framework.core.types import Tokens


class Letters:
    """A chat of one id per character."""

    def before(self, video: bool, seconds: float, more: str = "") -> torch.Tensor:
        return torch.tensor([*map(ord, "ab" + more)])

    def inside(self, text: str) -> list[int]:
        return [*map(ord, text)]


def made(row_ends: bool, between: str = "|") -> FrameText:
    """Frames of 2 x 3 cells, "1<" before the first and ">" after each."""
    return FrameText(Letters(), lambda frame: f"{frame + 1}<", between, ">", (2, 3), row_ends)


def tokens(*places: tuple[int, int, int]) -> Tokens:
    tick, row, column = torch.tensor(places).T
    return Tokens(torch.zeros(len(places), 2), tick, row, column, tick.double())


def read(text: FrameText, kept: Tokens, frames: list[int], total: int, row_end: torch.Tensor | None) -> list:
    """What stands where: characters, `*` for visual tokens, `/` for rows of their own."""
    found = []
    pieces = text.pieces(kept, text.beginning(frames[0]), frames, text.starts(total), row_end)
    for piece, ids in pieces:
        if isinstance(piece, slice):
            letters = "*" * (piece.stop - piece.start)
        else:
            letters = "/" if piece.is_floating_point() else "".join(map(chr, piece.tolist()))
        assert len(letters) == len(ids)
        found += zip(letters, ids.tolist(), strict=True)
    return found


def test_frames_that_are_all_there_take_one_place_after_the_other() -> None:
    text = made(row_ends=False)
    kept = tokens(*((t, r, c) for t in (4, 7) for r in range(2) for c in range(3)))
    found = read(text, kept, [0, 1], 2, None)
    assert "".join(letter for letter, _ in found) == "ab1<******>|2<******>"
    assert [place for _, place in found] == [*range(21)]
    assert text.starts(2) == [4, 14, 21]


def test_what_is_left_of_a_longer_video_keeps_its_places() -> None:
    """Frame 9 has two digits: "|10<" takes four places. The bar before the first frame that is there stays, too."""
    text = made(row_ends=False)
    found = read(text, tokens((2, 0, 1), (9, 0, 0), (9, 1, 2)), [2, 9], 12, None)
    assert "".join(letter for letter, _ in found) == "ab|3<*>|10<**>"
    second = 4 + 7 + 3  # where the tokens of frame 1 begin: a frame takes seven, "|2<" three
    third, tenth = second + 10, second + 8 * 10 + 1
    places = [0, 1, third - 3, third - 2, third - 1, third + 1, third + 6]
    places += [tenth - 4, tenth - 3, tenth - 2, tenth - 1, tenth, tenth + 5, tenth + 6]
    assert [place for _, place in found] == places
    assert text.starts(12)[-1] == tenth + 7 + 11 + 11


@pytest.mark.parametrize("between", ["|", ""])
def test_a_row_of_its_own_follows_rows_that_hold_a_token(between: str) -> None:
    text, end = made(row_ends=True, between=between), torch.zeros(1, 2)
    found = read(text, tokens((0, 1, 0), (0, 1, 2), (1, 0, 1), (1, 1, 1)), [0, 1], 2, end)
    assert "".join(letter for letter, _ in found) == f"ab1<**/>{between}2<*/*/>"
    first = 4
    second = first + 8 + 1 + len(between) + 2
    places = [0, 1, 2, 3, first + 4, first + 6, first + 7, first + 8]
    places += [*range(first + 9, second), second + 1, second + 3, second + 5, second + 7, second + 8]
    assert [place for _, place in found] == places


def test_what_stands_around_tokens_is_counted() -> None:
    assert made(False).count(2, 12) == len(">|2<>")
    assert made(True).count(2, 12) == len(">|2<>") + 4
    assert made(True).count(2, 3) == len(">|2<>") + 3  # three tokens lie in three rows at most
