"""All rows, in the order they are printed."""

from ..row import Row
from . import capture, commands, proxies, pure, scale, snapshot, sysctls, verbs, wire


def all_rows(reasons: dict) -> list[Row]:
    """`reasons`: why the peers `python` and `rtnetlink` could not be built, if they could not."""
    modules = (proxies, snapshot, sysctls, pure, commands, wire, capture, scale, verbs)
    return [row for module in modules for row in module.rows(reasons)]
