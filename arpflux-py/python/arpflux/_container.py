"""Addresses of containers, as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from ._base import IpAddress, Value
from ._names import Idle


@dataclass(frozen=True)
class Published(Value):
    """One address of a container, and how it stands."""

    #: The address.
    address: IpAddress
    #: Whose it is.
    owner: str
    #: Where it belongs.
    interface: str
    #: Whether there is a proxy entry for it there.
    published: bool
    #: Whether it is as it should be.
    right: bool
    #: How it stands, in words: "published", or what is missing.
    state: str
    #: Other interfaces with an entry for it; "all" for one that is tied to none.
    elsewhere: Tuple[str, ...] = ()
    #: Why it cannot be published now; None: it can.
    idle: Optional[Idle] = None
    #: What would have to change besides for it to be reached and to leave by its own interface.
    lacks: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{self.address} of {self.owner} on {self.interface}: {self.state}"
