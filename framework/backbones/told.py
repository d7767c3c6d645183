"""What is told before a video (`backbone.adapter.told`): the check of its text, which loads no torch."""

from __future__ import annotations

from framework.core.errors import UsageError


def check_told(told: str) -> None:
    """Checks that `told` can be filled in with seconds. Raises UsageError that names the key where it cannot."""
    try:
        told.format(seconds=0.0)
    except (LookupError, ValueError, AttributeError, TypeError) as error:  # whatever a replacement field asks for
        raise UsageError(
            "backbone.adapter.told must be text in which {seconds} alone is filled in, such as "
            f"'It lasts {{seconds:.0f}} s.'; got {told!r}"
        ) from error
