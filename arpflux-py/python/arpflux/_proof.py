"""Claims about a snapshot, decided for all senders."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any, Dict, Iterable, Iterator, Mapping, Optional, Tuple, Type, TypeVar

from ._base import Value, written
from ._model import Gap
from ._names import Expect, ProofOutcome

P = TypeVar("P", bound="Proof")


@dataclass(frozen=True)
class Expectation(Value):
    """A claim about who answers, or where packets leave, for `Snapshot.prove`. `among` restricts it to some interfaces,
    usually those on one wire; empty: every interface that takes requests.

    >>> import arpflux
    >>> arpflux.Expectation.exactly_one("192.0.2.1", among=["eth0", "eth1"]).expect
    <Expect.EXACTLY_ONE: 'exactly_one'>
    """

    #: What is claimed.
    expect: Expect
    #: The address asked for; for NOTHING_BUT and NEVER a network, too.
    target: Optional[str] = None
    #: The name of the interface that it is about.
    interface: Optional[str] = None
    #: For LEAVES_BY: the address that the packets come from.
    source: Optional[str] = None
    #: The names of the interfaces that count.
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
class Proof(Value):
    """A claim, and whether it holds. `str()` gives a sentence."""

    #: The claim as a sentence.
    claim: str
    #: What is claimed.
    expect: Expect
    #: Whether it holds.
    outcome: ProofOutcome = dataclasses.field(metadata=written("proof"))
    #: Everything else about it, as JSON.
    json: str = dataclasses.field(default="{}", repr=False)

    @property
    def holds(self) -> Optional[bool]:
        """Whether it holds; None: that cannot be told."""
        return None if self.outcome is ProofOutcome.UNDETERMINED else self.outcome is ProofOutcome.PROVED

    @property
    def fields(self) -> Dict[str, Any]:
        """Everything else about it, as a new dict: what it is about; how many requests stood for all (`cases`); a request that
        tells against it (`sentence`, `evidence`); or what is missing."""
        values: Dict[str, Any] = json.loads(self.json)
        return values

    @classmethod
    def from_dict(cls: Type[P], values: Mapping[str, Any]) -> P:
        """The proof that a dict as `to_dict()` gives it stands for."""
        named = ("claim", "expect", "proof")
        rest = {key: value for key, value in values.items() if key not in named}
        try:
            expect, outcome = Expect(values["expect"]), ProofOutcome(values["proof"])
            return cls(values["claim"], expect, outcome, json.dumps(rest, sort_keys=True))
        except (KeyError, ValueError):
            # The ordinary reader says what is wrong.
            return super().from_dict({key: values[key] for key in named if key in values})

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json."""
        return {
            "claim": self.claim,
            "expect": self.expect.value,
            "proof": self.outcome.value,
            **self.fields,
        }

    def __bool__(self) -> bool:
        return self.outcome is ProofOutcome.PROVED

    def __str__(self) -> str:
        why = self.fields.get("sentence")
        return f"{self.claim}: {self.outcome.value}" + (f": {why}" if why else "")


@dataclass(frozen=True)
class Proofs(Value):
    """Claims about one snapshot, decided for all senders: their proofs, in order. True if there is one and all hold."""

    #: Whether all hold; None: that cannot be told.
    ok: Optional[bool]
    #: What is missing to tell.
    missing: Tuple[Gap, ...]
    #: The claims.
    claims: Tuple[Proof, ...]
    #: Whether all hold apart from what is missing; None: nothing is missing.
    ok_apart_from_that: Optional[bool] = None

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json."""
        values = super().to_dict()
        if self.ok is not None:
            del values["ok_apart_from_that"]
        return values

    def __bool__(self) -> bool:
        return self.ok is True and len(self.claims) > 0

    def __len__(self) -> int:
        return len(self.claims)

    def __iter__(self) -> Iterator[Proof]:
        return iter(self.claims)

    def __getitem__(self, index: int) -> Proof:
        return self.claims[index]
