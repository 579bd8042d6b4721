"""Checks of a host for pytest: `pytest checks.py`, with NETNS and POLICY (a file) in the environment.

A report is true if everything is as the policy says; what cannot be told is not. Its failures are what pytest shows.
"""

import os

import pytest

import arpflux


@pytest.fixture(scope="session")
def snapshot() -> arpflux.Snapshot:
    return arpflux.Host.netns(os.environ["NETNS"]).snapshot()


@pytest.fixture(scope="session")
def policy() -> arpflux.Policy:
    return arpflux.Policy.load(os.environ["POLICY"])


def test_the_policy_is_kept(snapshot: arpflux.Snapshot, policy: arpflux.Policy) -> None:
    report = policy.verify(snapshot)
    assert not report.failures
    assert report, report.undetermined


def test_nothing_is_wrong(snapshot: arpflux.Snapshot, policy: arpflux.Policy) -> None:
    bad = [one for one in snapshot.diagnose(policy=policy) if one.severity >= arpflux.Severity.WARNING]
    assert not [f"{one.id}: {one.what}" for one in bad]


def test_one_interface_answers_for_each_address(snapshot: arpflux.Snapshot, policy: arpflux.Policy) -> None:
    among = [name for name in policy.interfaces or () if not name.startswith("mac:")]
    addresses = [address for proxy in policy.proxies for address in proxy.addresses]
    claims = [arpflux.Expectation.exactly_one(address, among=among) for address in addresses]
    assert not [str(proof) for proof in snapshot.prove(claims=claims) if not proof]
