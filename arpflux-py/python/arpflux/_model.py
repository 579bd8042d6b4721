"""What the model of the kernel says, and what verification finds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Dict, Optional, Tuple

from ._base import IpAddress, Open, Value, written
from ._names import (
    CheckKind,
    Missing,
    Reason,
    ValueSource,
    Via,
    WireCertainty,
)


@dataclass(frozen=True)
class Effective(Value):
    """A sysctl's value as the kernel uses it on one interface.

    - `value`: The value after combining `all` and the interface's.
    - `source`: Which of the two decided.
    """

    value: int
    source: ValueSource


@dataclass(frozen=True)
class Delay(Value):
    """How long a proxied answer to a broadcast request waits.

    - `below_ms`: The answer comes after a random time below this, in ms.
    - `queue`: How many requests may wait besides the one being queued; more are dropped.
    """

    below_ms: int
    queue: int


@dataclass(frozen=True)
class Advertised(Value):
    """The flags of a neighbour advertisement (RFC 4861).

    - `router`: The sender is a router.
    - `solicited`: It answers a solicitation, not a probe.
    - `override`: Who hears it shall overwrite what it holds.
    """

    router: bool
    solicited: bool
    override: bool


@dataclass(frozen=True)
class Verdict(Value):
    """What the kernel does with a request.

    - `answers`: True: it answers; False: it does not; None: that cannot be told from the snapshot.
    - `mac`: The MAC in the answer.
    - `reason`: The rule that decided; None if it cannot be told.
    - `via`: Why it answers; None if it does not.
    - `interface`: The number of the interface that answers: of a port, that of its bridge or bond.
    - `delay`: How long a proxied answer waits; None: it is sent at once.
    - `advertised`: The flags of a neighbour advertisement; None in answers to ARP.
    - `missing`: What is missing to tell; empty unless `answers` is None.
    """

    answers: Optional[bool]
    mac: Optional[str] = None
    reason: Optional[Reason] = None
    via: Optional[Via] = None
    interface: Optional[int] = None
    delay: Optional[Delay] = None
    advertised: Optional[Advertised] = None
    missing: Tuple[Missing, ...] = ()

    def to_dict(self) -> Dict[str, Any]:
        """What the command prints with --json."""
        values = super().to_dict()
        absent: Tuple[str, ...] = ("via", "interface", "delay", "advertised", "missing")
        if self.answers is None:
            absent = ("reason", "via", "interface", "delay", "advertised")
        elif self.answers:
            absent = ("missing",) if self.advertised else ("advertised", "missing")
        return {key: value for key, value in values.items() if key not in absent}


@dataclass(frozen=True)
class Step(Open):
    """A step towards a verdict: one rule of the kernel and what decided it. `str()` gives the sentence.

    - `step`: Its name.
    - `function`: The function of the kernel.
    - `text`: One sentence.
    - `json`: Everything else about it, as JSON.
    """

    step: str
    function: str
    text: str
    json: str = dataclasses.field(default="{}", repr=False)

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Explanation(Verdict):
    """What the kernel does with a request, and why. `str()` gives one sentence a line.

    - `steps`: The steps that led to the verdict.
    """

    steps: Tuple[Step, ...] = ()

    def __str__(self) -> str:
        lines = [step.text for step in self.steps]
        if self.answers is None:
            lines.append("So it cannot be told whether there is an answer.")
        return "\n".join(lines)


@dataclass(frozen=True)
class MatrixInterface(Value):
    """An interface that is asked.

    - `index`: Its number.
    - `name`: Its name.
    - `mac`: Its MAC.
    - `wire`: Which wire it is on, counted from 0: interfaces of one wire hear one another.
    - `certainty`: How well that is known.
    """

    index: int
    name: str
    mac: str
    wire: int
    certainty: WireCertainty


@dataclass(frozen=True)
class Gap(Value):
    """Something that could not be read or decided. `str()` gives a sentence.

    - `missing`: What it is.
    - `what`: The same as a sentence, with the chain, interface or file at fault.
    - `leaves_open`: What that leaves open.
    - `how`: How to get it read or decided.
    """

    missing: Missing
    what: str
    leaves_open: str
    how: str

    def __str__(self) -> str:
        return f"{self.what}; that leaves open {self.leaves_open}; {self.how}"


@dataclass(frozen=True)
class MatrixCell(Value):
    """What one interface does with requests for one address.

    - `sender`: The ordinary neighbour that stands for all.
    - `verdict`: What becomes of its request, sent to all.
    - `probe`: What becomes of a probe (sender 0.0.0.0 or `::`).
    - `value`: The value of the sysctl that decided for the neighbour, where one did.
    """

    sender: IpAddress
    verdict: Verdict
    probe: Verdict
    value: Optional[int]


@dataclass(frozen=True)
class MatrixRow(Value):
    """An address that is asked for.

    - `target`: The address.
    - `held_by`: The interfaces that hold it.
    - `proxied`: Whether there is a proxy entry for it.
    - `cells`: What becomes of requests, by interface.
    - `flux`: Whether several MACs answer for it on one wire, for one of the two kinds of senders; None: that cannot be
      told.
    - `flux_apart_from_missing`: The same with all that is missing taken to be without effect; None: that cannot be told
      either.
    """

    target: IpAddress = dataclasses.field(metadata=written("address"))
    held_by: Tuple[str, ...]
    proxied: bool
    cells: Tuple[MatrixCell, ...]
    flux: Optional[bool]
    flux_apart_from_missing: Optional[bool]


@dataclass(frozen=True)
class Failure(Value):
    """Something that is not as the policy says. `str()` gives a sentence.

    - `check`: What was looked at.
    - `object`: The sysctl, entry, rule, route or address.
    - `expected`: What it should be.
    - `found`: What it is.
    """

    check: CheckKind
    object: str
    expected: str
    found: str

    def __str__(self) -> str:
        check = "proxy entry" if self.check is CheckKind.PROXY else self.check.value
        return f"{check} {self.object}: expected {self.expected}, found {self.found}"


@dataclass(frozen=True)
class VerifiedAddress(Value):
    """Who should answer for an address, and who does.

    - `address`: The address.
    - `expected`: The interface that should answer.
    - `answering`: Those that do, whoever asks.
    - `undetermined`: Those of which that cannot be told.
    - `unheard`: The one that should answer has no carrier: nobody can ask it.
    """

    address: IpAddress
    expected: str
    answering: Tuple[str, ...]
    undetermined: Tuple[str, ...] = ()
    unheard: bool = False
