"""The minuscule Qwen2.5-VL."""

from tests.fixtures.tiny_qwen import checkpoint, encoded, film, kept, make, questions, stock, tied_checkpoint

__all__ = ["checkpoint", "encoded", "film", "kept", "make", "questions", "stock", "tied_checkpoint"]
