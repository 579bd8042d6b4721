"""Claims for all senders, own requests, learning, what a plan changes, and captures live: as the command has them, and as the wire."""

import json
import pickle
import subprocess
import sys
import threading

import pytest
from conftest import cure, run

import arpflux

MAC = "02:00:00:00:00:99"


def command(netns, *arguments):
    """The record that the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "arpflux", "explain", "--netns", netns, "--json", *arguments], stdout=subprocess.PIPE
    )
    record = json.loads(done.stdout)
    assert record.pop("schema") == 1
    return record


def same(value, record):
    assert value.to_dict() == record
    assert type(value).from_dict(record) == value == pickle.loads(pickle.dumps(value))


def test_claims_are_refuted_before_the_cure_and_proved_after(wire):
    before = arpflux.Host.netns(wire.hn).snapshot()
    proofs = before.prove()
    same(proofs, command(wire.hn, "--prove"))
    assert proofs.ok is False and not proofs and len(proofs) > 2
    refuted = before.prove("192.168.18.10")[0]
    assert refuted.outcome is arpflux.ProofOutcome.REFUTED and refuted.holds is False and not refuted
    assert "two interfaces answer" in str(refuted) and refuted.fields["evidence"]
    after = before.plan(cure(before)).predict(before)
    assert after.prove("192.168.18.10") and after.prove("192.168.18.10")[0].fields["cases"] > 0

    claim = arpflux.Expectation
    claims = [
        claim.exactly_one("192.168.18.10", among=["eth0", "eth3"]),
        claim.nothing_but("eth0", "192.168.18.10"),
        claim.answers("eth0", "192.168.18.10"),
        claim.never("eth3", "192.168.18.10/32"),
        claim.leaves_by("192.168.18.10", "eth0", among=["eth0", "eth3", "eth4"]),
    ]
    assert [proof.holds for proof in before.prove(claims=claims)][:4] == [False, False, True, False]
    assert [proof.holds for proof in after.prove(claims=claims)] == [True] * 5
    assert not before.prove(claims=[])
    six = before.prove(claims=[claim.never("eth3", "2001:db8::/64"), claim.answers("eth3", "2001:db8::1")])
    assert [proof.holds for proof in six] == [True, False] and "2001:db8::1" in str(six[1])
    assert six.not_covered == ("solicitations by unicast",)
    with pytest.raises(arpflux.InvalidInput, match="IPv4"):
        before.prove(claims=[claim.leaves_by("2001:db8::1", "eth0")])
    with pytest.raises(arpflux.NotFound, match="eth9"):
        before.prove(claims=[claim.answers("eth9", "192.168.18.10")])
    with pytest.raises(arpflux.InvalidInput, match="target"):
        before.prove("192.168.18.10", claims=claims)
    with pytest.raises(arpflux.InvalidInput, match="claims"):
        before.prove(claims=[claim.answers("eth0", "192.168.18.0/24")])


def test_own_requests_are_as_the_kernel_routes(wire):
    snapshot = arpflux.Host.netns(wire.hn).snapshot()
    reached = snapshot.outgoing("192.168.18.129", source="192.168.18.11")
    same(reached, command(wire.hn, "192.168.18.129", "--from", "192.168.18.11", "--outgoing"))
    route = run("ip", "-n", wire.hn, "-o", "route", "get", "192.168.18.129", "from", "192.168.18.11")
    assert f"dev {snapshot.interface_name(reached.interface)} " in route
    assert reached.outcome is arpflux.Outgoing.ASKS and str(reached.sender) == "192.168.18.11"
    assert reached.teaches_wrong_mac == (snapshot.interface_name(reached.interface) != "eth3")
    assert reached.lookup.table == 254 and reached.gateway is None
    by = snapshot.outgoing("192.168.18.129", interface="eth4")
    assert snapshot.interface_name(by.interface) == "eth4"
    nowhere = snapshot.outgoing("203.0.113.1")
    assert nowhere.outcome is arpflux.Outgoing.UNREACHABLE and nowhere.interface is None
    assert nowhere.to_dict()["outcome"] == "unreachable" and "mac" not in nowhere.to_dict()


def test_what_is_learnt_is_as_the_command_says(wire):
    snapshot = arpflux.Host.netns(wire.hn).snapshot()
    learned = snapshot.learns("192.168.18.129", MAC)
    same(learned, command(wire.hn, "192.168.18.129", "--learn", MAC))
    only = snapshot.learns("192.168.18.129", MAC, interfaces="eth3").interfaces
    assert [one.interface for one in only] == ["eth3"]
    assert any(frame.old.learning is arpflux.Learning.TAKES for frame in only[0].frames)


def test_the_impact_of_a_plan_is_what_changes_on_the_wire(wire):
    host = arpflux.Host.netns(wire.hn)
    before = host.snapshot()
    policy = cure(before)
    plan = before.plan(policy)
    impact = plan.impact(before, policy)
    assert impact and impact.victims == tuple(effect for effect in impact if not effect.named)
    loses = arpflux.AnswerChange.LOSES
    lost = {(e.interface, t) for e in impact if e.turn.change is loses and e.neighbours for t in e.targets}
    assert ("eth3", "192.168.18.10") in lost and ("eth0", "192.168.18.10") not in lost
    assert type(impact).from_dict(impact.to_dict()) == impact == pickle.loads(pickle.dumps(impact))
    assert not plan.inverse().inverse().impact(plan.predict(before), policy), "nothing is left to change"
    client = arpflux.Host.netns(wire.client)
    assert len(client.probe("192.168.18.10", wait=0.5)[0].macs) == 3
    host.apply(plan)
    (probed,) = client.probe("192.168.18.10", wait=0.5)
    assert probed.macs == (before.interface("eth0").mac,)


def test_arp_is_captured_live(wire):
    client = arpflux.Host.netns(wire.client)
    asking = threading.Timer(0.5, lambda: client.probe("192.168.18.10", wait=0.5, tries=1))
    asking.start()
    report = client.listen("eth0", duration=30, frames=4)
    asking.join()
    (address,) = [one for one in report.addresses if str(one.address) == "192.168.18.10"]
    assert len(address.macs) == 3 and report.ok is False
    assert client.listen("eth0", duration=0.01).addresses == ()
    with pytest.raises(arpflux.InvalidInput, match="nothing would end it"):
        client.listen("eth0")
    with pytest.raises(arpflux.NotFound):
        client.listen("eth9", frames=1)


def test_a_page_of_a_host(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    diagnosis = snapshot.diagnose()
    alone = diagnosis.page(title="hn <1>")
    assert "ARP on hn &lt;1&gt;" in alone and "AF001" in alone and "What to change" not in alone
    policy = snapshot.recommend().policy
    assert "What to change" in diagnosis.page(policy=policy)
    with pytest.raises(arpflux.Error):
        diagnosis.page(policy=arpflux.Policy(interfaces=["eth9"]))
