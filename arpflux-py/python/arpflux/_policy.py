"""Parts of a policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Tuple

from ._base import IpAddress, Value


@dataclass(frozen=True)
class ProxyPolicy(Value):
    """Addresses of one owner, answered for by one interface only.

    >>> import arpflux
    >>> arpflux.ProxyPolicy("101", ("192.168.18.101",), "eth3").to_dict()
    {'owner': '101', 'addresses': ['192.168.18.101'], 'interface': 'eth3'}

    - `owner`: A container id or any other label.
    - `addresses`: Addresses, IPv4 (ARP) or IPv6 (NDP): `ipaddress` objects or their texts.
    - `interface`: The only interface that answers for them, and that their packets leave by.
    """

    owner: str
    addresses: Tuple[IpAddress, ...]
    interface: str


@dataclass(frozen=True)
class ServicePolicy(Value):
    """Addresses that several hosts hold or take over, and who answers for them.

    - `addresses`: IPv4 addresses: `ipaddress` objects or their texts.
    - `answer`: `never`: this host must not answer. `holder`: the interface that holds it, while it does and has carrier.
    """

    addresses: Tuple[IpAddress, ...]
    answer: str
