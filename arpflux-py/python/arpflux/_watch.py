"""Watching for drift: an iterator, an asynchronous iterator, and what both are made of."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Deque, Optional, Tuple, Type, Union

from ._base import Value, written
from ._names import Cause, DriftOutcome, Severity
from ._native import Change, Policy, _Watcher  # pyright: ignore[reportPrivateUsage]

if TYPE_CHECKING:
    import asyncio


@dataclass(frozen=True)
class Drift(Value):
    """The host was found to be otherwise than the policy says.

    - `at`: When.
    - `cause`: What made the watch look.
    - `changes`: What it takes to put it right: before is what was found, after what the policy says.
    - `outcome`: What became of it.
    - `took`: From the moment the watch woke up to the end of the repair.
    - `times`: How often it was found since it was told last: more than once where somebody changes it again and again.
    - `within`: The time in which that was.
    - `error`: Why it could not be put right, or the policy cannot be kept, or what is wrong with the answers; None
      otherwise.
    - `by`: What is known of the other one where something is contested.
    - `number`: The number of this drift of this watch, from 1.
    - `host`: The name of the host.
    - `policy`: What tells this policy from another.
    - `severity`: How bad it is.
    - `count`: How many changes there are.
    - `interfaces`: The interfaces that the first 20 changes are about: index, name and mac of each.
    """

    at: datetime.datetime = dataclasses.field(metadata=written("at_ms", 1e-3))
    cause: Cause
    changes: Tuple[Change, ...]
    outcome: DriftOutcome
    took: datetime.timedelta = dataclasses.field(metadata=written("took_us", 1e-6))
    times: int = 1
    within: datetime.timedelta = dataclasses.field(
        default=datetime.timedelta(), metadata=written("within_ms", 1e-3)
    )
    error: Optional[str] = None
    by: Optional[str] = None
    number: int = 0
    host: str = ""
    policy: str = ""
    severity: Severity = Severity.INFO
    count: int = 0
    interfaces: Tuple[Any, ...] = ()


class Watch:
    """Watches one namespace for drift from a policy. Made by `Host.watch`.

    `for drift in watch` waits for the next drift, without end; `async for drift in watch` does so in an event loop, and
    every other task goes on meanwhile; one task at a time, a second one gets RuntimeError. `wait()` has a timeout. Closing it, from whichever thread, ends both loops. A signal
    interrupts the waiting. It belongs to the process that made it: after a fork the other one gets InvalidInput.
    """

    def __init__(self, native: _Watcher) -> None:
        self._native = native
        self._found: Deque[Drift] = collections.deque()
        self._wake: Optional[asyncio.Future[None]] = None
        self._awaited = False

    def wait(self, timeout: Optional[Union[float, datetime.timedelta]] = None) -> Tuple[Drift, ...]:
        """Waits for news up to `timeout` (seconds or timedelta; None: without end) and does what is to be done.

        A tuple of what drifted; empty when the time is over or the watch is closed.
        """
        if not self._found:
            self._found.extend(self._native.wait(timeout) or ())
        return self._take()

    def step(self) -> Tuple[Drift, ...]:
        """Does what is to be done now, without waiting: for event loops, when `fileno()` is readable."""
        self._found.extend(self._native.step() or ())
        return self._take()

    def _take(self) -> Tuple[Drift, ...]:
        found = tuple(self._found)
        self._found.clear()
        return found

    def fileno(self) -> int:
        """The descriptor that is readable when `step()` has something to do. Raises ValueError if it is closed."""
        descriptor = self._native.fileno()
        if descriptor is None:
            raise ValueError("the watch is closed")
        return descriptor

    @property
    def closed(self) -> bool:
        """Whether it is closed."""
        return self._native.fileno() is None

    @property
    def policy(self) -> Optional[Policy]:
        """The policy that is watched; None if it is closed."""
        return self._native.policy

    def set_policy(self, policy: Policy) -> None:
        """Watches for another policy from now on."""
        self._native.set_policy(policy)

    def close(self) -> None:
        """Ends the watch and closes its descriptors. Closing twice is no error."""
        wake = self._wake
        if wake is not None:
            # The event loop must forget the descriptor before it is closed, and may run in another thread.
            loop = wake.get_loop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, wake)
        self._native.close()

    def __enter__(self) -> Watch:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        value: Optional[BaseException],
        traceback: Optional[types.TracebackType],
    ) -> None:
        self.close()

    def __iter__(self) -> Watch:
        return self

    def __next__(self) -> Drift:
        while not self._found:
            found = self._native.wait(None)
            if found is None:
                raise StopIteration
            self._found.extend(found)
        return self._found.popleft()

    def __aiter__(self) -> Watch:
        return self

    async def __anext__(self) -> Drift:
        # Late: a third of the time that importing the package takes would be spent on it.
        import asyncio

        if self._awaited:
            raise RuntimeError("another task waits for this watch already")
        loop = asyncio.get_running_loop()
        self._awaited = True
        try:
            while not self._found:
                if not await self._readable(loop):
                    raise StopAsyncIteration
                # Repairs take a while: not in the loop's own thread. What it finds is kept, whoever is cancelled.
                if not await loop.run_in_executor(None, self._step):
                    raise StopAsyncIteration
        finally:
            self._awaited = False
        return self._found.popleft()

    def _step(self) -> bool:
        found = self._native.step()
        self._found.extend(found or ())
        return found is not None

    async def _readable(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Waits for the descriptor; False if the watch was closed."""
        descriptor = self._native.fileno()
        if descriptor is None:
            return False
        wake = loop.create_future()
        self._wake = wake
        loop.add_reader(descriptor, _wake, wake)
        try:
            await wake
        finally:
            self._wake = None
            loop.remove_reader(descriptor)
        return not self.closed

    def __repr__(self) -> str:
        return f"<Watch: {'closed' if self.closed else 'open'}>"


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
