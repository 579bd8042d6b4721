"""Claims about a snapshot, decided for all senders."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Iterable, Iterator, Optional, Tuple

from ._base import Judged, Open, Value, written
from ._model import Gap
from ._names import Expect, ProofOutcome


@dataclass(frozen=True)
class Expectation(Value):
    """A claim about who answers, or where packets leave, for `Snapshot.prove`. `among` restricts it to some interfaces,
    usually those on one wire; empty: every interface that takes requests.

    >>> import arpflux
    >>> arpflux.Expectation.exactly_one("192.0.2.1", among=["eth0", "eth1"]).expect
    <Expect.EXACTLY_ONE: 'exactly_one'>

    - `expect`: What is claimed.
    - `target`: The address asked for; for NOTHING_BUT and NEVER a network, too.
    - `interface`: The name of the interface that it is about.
    - `source`: For LEAVES_BY: the IPv4 address that the packets come from.
    - `among`: The names of the interfaces that count.
    """

    expect: Expect
    target: Optional[str] = None
    interface: Optional[str] = None
    source: Optional[str] = None
    among: Tuple[str, ...] = ()

    @classmethod
    def exactly_one(cls, target: object, *, among: Iterable[str] = ()) -> Expectation:
        """One interface answers for an address, the same one whoever asks, and it answers every neighbour."""
        return cls(Expect.EXACTLY_ONE, target=str(target), among=tuple(among))

    @classmethod
    def nothing_but(
        cls, interface: str, target: object, *, among: Iterable[str] = ()
    ) -> Expectation:
        """No interface but this one answers for an address of `target`, an address or a network."""
        return cls(Expect.NOTHING_BUT, target=str(target), interface=interface, among=tuple(among))

    @classmethod
    def answers(cls, interface: str, target: object) -> Expectation:
        """The interface answers every neighbour that asks for an address."""
        return cls(Expect.ANSWERS, target=str(target), interface=interface)

    @classmethod
    def never(cls, interface: str, target: object) -> Expectation:
        """Whoever asks the interface for an address of `target`, an address or a network, gets no answer."""
        return cls(Expect.NEVER, target=str(target), interface=interface)

    @classmethod
    def leaves_by(
        cls, source: object, interface: str, *, among: Iterable[str] = ()
    ) -> Expectation:
        """Packets from an address leave by this one of the interfaces alone."""
        return cls(Expect.LEAVES_BY, source=str(source), interface=interface, among=tuple(among))


@dataclass(frozen=True)
class Proof(Open):
    """A claim, and whether it holds. `str()` gives a sentence. `fields` has what it is about; how many requests stood for all
    (`cases`); a request that tells against it (`sentence`, `evidence`); or what is missing.

    - `claim`: The claim as a sentence.
    - `expect`: What is claimed.
    - `outcome`: Whether it holds.
    - `json`: Everything else about it, as JSON.
    """

    claim: str
    expect: Expect
    outcome: ProofOutcome = dataclasses.field(metadata=written("proof"))
    json: str = dataclasses.field(default="{}", repr=False)

    @property
    def holds(self) -> Optional[bool]:
        """Whether it holds; None: that cannot be told."""
        return None if self.outcome is ProofOutcome.UNDETERMINED else self.outcome is ProofOutcome.PROVED

    def __bool__(self) -> bool:
        return self.outcome is ProofOutcome.PROVED

    def __str__(self) -> str:
        why = self.fields.get("sentence")
        return f"{self.claim}: {self.outcome.value}" + (f": {why}" if why else "")


@dataclass(frozen=True)
class Proofs(Judged):
    """Claims about one snapshot, decided for all senders: their proofs, in order. True if there is one and all hold.

    - `ok`: Whether all hold; None: that cannot be told.
    - `missing`: What is missing to tell.
    - `claims`: The claims.
    - `not_covered`: What they say nothing of, each in a few words.
    - `ok_apart_from_that`: Whether all hold apart from what is missing; None: nothing is missing.
    """

    ok: Optional[bool]
    missing: Tuple[Gap, ...]
    claims: Tuple[Proof, ...]
    not_covered: Tuple[str, ...] = ()
    ok_apart_from_that: Optional[bool] = None

    def __bool__(self) -> bool:
        return self.ok is True and len(self.claims) > 0

    def __len__(self) -> int:
        return len(self.claims)

    def __iter__(self) -> Iterator[Proof]:
        return iter(self.claims)

    def __getitem__(self, index: int) -> Proof:
        return self.claims[index]
