"""Values and enums: complete, frozen, equal, hashable, printable, and back from plain dicts."""

import dataclasses
import enum
import json
import pickle
import re

import pytest
from conftest import cure

import arpflux
from arpflux import _errors, _names


def test_every_kind_of_error_has_its_class():
    assert list(_errors._CLASSES) == [kind.value for kind in _names.ErrorKind]


def test_enums_are_enums_and_text():
    enums = [item for item in vars(arpflux).values() if isinstance(item, type) and issubclass(item, enum.Enum)]
    assert len(enums) >= 18
    for cls in enums:
        assert cls.__doc__
        for member in cls:
            assert str(member) == member == member.value and cls(member.value) is member
            assert f"{member}" == member.value and json.dumps(member) == json.dumps(member.value)
            assert pickle.loads(pickle.dumps(member)) is member
        with pytest.raises(ValueError):
            cls("no-such")


def every_value(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    policy = cure(snapshot, eth3="192.168.18.101")
    plan = policy.plan(snapshot)
    matrix, diagnosis = snapshot.matrix(), snapshot.diagnose(policy=policy, ignore="AF009")
    yield from (snapshot, policy, plan, matrix, diagnosis, policy.verify(snapshot))
    yield from (snapshot.interfaces[0], snapshot.addresses[0], snapshot.proxies[0], snapshot.interfaces[0].neigh)
    yield from (*snapshot.routes, *snapshot.rules, *snapshot.neighbours, snapshot.routes[0].next_hops[0])
    yield from (snapshot.kernel, snapshot.netns, snapshot.routing)
    yield from (plan.changes[0], plan.changes[-1], diagnosis.findings[0], diagnosis.findings[-1])
    yield from (snapshot.effective("eth0", "arp_ignore"), matrix.interfaces[0], *matrix.rows, matrix.rows[0].cells[0])
    for target in ("192.168.18.10", "192.168.18.101", "10.9.8.7"):
        explanation = snapshot.explain(target, interface="eth3", sender="192.168.18.129")
        yield from (explanation, *explanation.steps)
    segments = arpflux.segments({"a": snapshot, "b": snapshot})
    yield from (*segments, segments[0].answers[0], segments[0].answers[0].responders[0], segments[0].ports[0])
    yield from policy.verify(snapshot).failures


def test_every_value_compares_hashes_pickles_and_converts(node):
    seen = set()
    for value in every_value(node):
        seen.add(type(value).__name__)
        again = pickle.loads(pickle.dumps(value))
        assert type(again) is type(value) and again == value and not again != value
        assert hash(again) == hash(value) and again is not value
        assert value != object() and value != 1
        assert type(value).__name__ in repr(value)
        values = value.to_dict()
        assert json.loads(json.dumps(values)) == values
        if hasattr(type(value), "from_dict"):
            assert type(value).from_dict(values) == value
            # The command prints more than the plan and the report; a step keeps whatever it has; a newer version may
            # have taken the snapshot.
            if type(value) is arpflux.Snapshot:
                told = arpflux.Snapshot.from_dict({**values, "no_such_key": 1}).interference[-1]
                assert "no_such_key" in told.what, told
            elif type(value) not in (arpflux.Plan, arpflux.Report, arpflux.Step):
                with pytest.raises((arpflux.InvalidData, arpflux.InvalidPolicy)):
                    type(value).from_dict({**values, "no_such_key": 1})
        with pytest.raises((AttributeError, TypeError, dataclasses.FrozenInstanceError)):
            value.index = 1
    assert len(seen) >= 27, seen


def test_a_dict_with_wrong_types_names_the_key():
    good = {"mac": "02:00:00:00:00:01", "claim": "holds"}
    for wrong, said in (
        ({**good, "claim": "maybe"}, "claim"),
        ({**good, "mac": 7}, "mac"),
        ({"mac": "x"}, "claim"),
        ({**good, "x": 1}, "x"),
    ):
        with pytest.raises(arpflux.InvalidData, match=said):
            arpflux.Conflict.from_dict(wrong)
    with pytest.raises(TypeError):
        arpflux.Conflict.from_dict([])


def test_the_matrix_shows_flux_and_says_which_rule(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    matrix = snapshot.matrix()
    assert matrix.has_flux and len(matrix) == len(matrix.rows) >= 4
    drawn = str(matrix)
    assert drawn.splitlines()[0].split()[0] == "ADDRESS" and "A answers  x answers too" in drawn and "eth3" in drawn
    names = [interface.name for interface in matrix.interfaces]
    row = next(row for row in matrix.rows if str(row.target) == "192.168.18.10")
    cells = dict(zip(names, row.cells))
    assert row.flux and row.held_by == ("eth0",) and not row.proxied
    assert cells["eth3"].verdict.answers and cells["eth3"].verdict.via is arpflux.Via.LOCAL
    assert cells["eth4"].verdict.reason is arpflux.Reason.ARP_IGNORE and cells["eth4"].value == 1
    few = snapshot.matrix(targets="192.168.18.101", interfaces=["eth3"], sender="192.168.18.129")
    assert few.rows[0].proxied and few.rows[0].cells[0].verdict.delay.below_ms > 0
    assert arpflux.Host.netns(node).matrix(targets=["192.168.18.101"], interfaces="eth3") != matrix
    six = snapshot.matrix(targets=["2001:db8::7", "192.168.18.101"], interfaces="eth3", sender="fe80::9")
    assert [str(row.target) for row in six.rows] == ["2001:db8::7", "192.168.18.101"]
    assert str(six.rows[0].cells[0].sender) == "fe80::9" and not six.rows[0].cells[0].verdict.answers
    assert pickle.loads(pickle.dumps(six)) == six


def test_diagnosis_names_what_is_wrong_and_its_remedy_cures_it(node, tmp_path):
    host = arpflux.Host.netns(node)
    diagnosis = host.diagnose()
    assert diagnosis.worst is arpflux.Severity.ERROR and len(diagnosis) == len(diagnosis.findings)
    finding = next(one for one in diagnosis.findings if one.id is arpflux.FindingId.SEVERAL_ANSWER)
    assert finding.id == "AF001" and finding.severity > arpflux.Severity.WARNING and "eth0" in finding.interfaces
    assert finding.what and finding.why and finding.remedy and finding.evidence and finding.link.endswith("AF001.md")
    assert finding.title in str(finding) and finding.effects is not None
    receipt = host.apply(finding.plan, state_dir=tmp_path)
    assert arpflux.FindingId.SEVERAL_ANSWER not in [one.id for one in host.diagnose().findings]
    receipt.undo()
    ignored = host.diagnose(ignore=[one.id for one in diagnosis.findings], impact=False)
    assert not ignored.findings and "Nothing found" in str(ignored)
    with pytest.raises(arpflux.InvalidInput, match="'ignore'.*AF999"):
        host.diagnose(ignore="AF999")
    text = diagnosis.metrics(taken=12.5)
    assert re.search(r"^# TYPE arpflux_\w+ gauge$", text, re.M) and "12.5" in text


def test_notebooks_draw_what_the_report_draws(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    policy = cure(snapshot)
    for value, word in (
        (snapshot, "eth3"),
        (snapshot.matrix(), "192.168.18.10"),
        (policy.plan(snapshot), "arp_ignore"),
        (snapshot.diagnose(policy=policy), "AF001"),
    ):
        html = value._repr_html_()
        assert html.startswith('<div class="arpflux">') and html.rstrip().endswith("</div>") and word in html
        assert "<script" not in html and "http-equiv" not in html


def test_plans_predict_what_they_lead_to(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    policy = cure(snapshot)
    plan = snapshot.plan(policy)
    after = plan.predict(snapshot)
    assert not policy.verify(snapshot) and snapshot.verify(policy) == policy.verify(snapshot)
    policy.verify(after).raise_for_failures()
    assert len(policy.plan(after)) == 0 and plan.inverse().predict(after).interfaces == snapshot.interfaces
    assert plan.changes[0].inverse().inverse() == plan.changes[0]


def test_segments_find_what_no_host_sees_alone(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    (segment,) = arpflux.segments({"a": snapshot, "b": snapshot})
    outcomes = {str(answer.address): answer.outcome for answer in segment.answers}
    assert {port.host for port in segment.ports} == {"a", "b"}
    assert outcomes["192.168.18.12"] in (arpflux.SegmentOutcome.FLUX, arpflux.SegmentOutcome.DUPLICATE)
    assert segment.answers[0].is_bad and "answer" in str(segment.answers[0])
    with pytest.raises(TypeError):
        arpflux.segments({"a": 1})
    with pytest.raises(TypeError, match="names of hosts"):
        arpflux.segments({"a": snapshot}, wires={"b": [["eth0"]]})


def test_wires_measured_on_a_host_go_before_its_subnets(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    both = {"a": snapshot, "b": snapshot}
    assert arpflux.segments(both).ok is False and not arpflux.segments(both)
    shared = arpflux.segments(both, wires={"a": [["eth0"], ["eth3"], ["eth4"]]})
    assert [len(apart.wires) for apart in shared.apart] == [3] and not shared and shared.ok is False


def test_a_fleet_is_changed_in_an_order_in_which_nobody_answers_twice(node):
    snapshot = arpflux.Host.netns(node).snapshot()
    order = arpflux.order({"a": snapshot, "b": snapshot}, {"a": cure(snapshot)})
    # Both hold the same addresses now and afterwards: that is said.
    assert [str(step.action) for step in order] == ["apply"] and order.hosts == 2
    assert order.steps[0].host == "a" and order[0] == order.steps[0] and len(order) == 1
    assert [[turn.host for turn in batch] for batch in order.batches] == [["a"]] and order.unchanged == ("b",)
    assert order.batches[0][0].withdraw == () and arpflux.Order.from_dict(order.to_dict()) == order
    assert arpflux.order({}, {}) and not arpflux.order({}, {}).doubts
    for wrong in ({"c": cure(snapshot)}, {"a": 1}):
        with pytest.raises(TypeError):
            arpflux.order({"a": snapshot}, wrong)
