"""Addresses of containers, as they stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Tuple

from ._base import IpAddress, Value
from ._names import Idle


@dataclass(frozen=True)
class Published(Value):
    """One address of a container, and how it stands.

    - `address`: The address.
    - `owner`: Whose it is.
    - `interface`: Where it belongs.
    - `published`: Whether there is a proxy entry for it there.
    - `right`: Whether it is as it should be.
    - `state`: How it stands, in words: "published", or what is missing.
    - `elsewhere`: Other interfaces with an entry for it; "all" for one that is tied to none.
    - `idle`: Why it cannot be published now; None: it can.
    - `lacks`: What would have to change besides for it to be reached and to leave by its own interface.
    """

    address: IpAddress
    owner: str
    interface: str
    published: bool
    right: bool
    state: str
    elsewhere: Tuple[str, ...] = ()
    idle: Optional[Idle] = None
    lacks: Tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        return f"{self.address} of {self.owner} on {self.interface}: {self.state}"
