"""Frames: asking many addresses."""

from ..row import Row


def rows(_reasons: dict) -> list[Row]:
    """None yet."""
    return []
