# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks at the wires of a whole group on the controller, with the hosts' facts as they are there."""

from __future__ import annotations

import traceback

from ansible.module_utils.basic import missing_required_lib
from ansible.plugins.action import ActionBase

try:
    import arpflux

    MISSING = None
except ImportError:
    arpflux = None
    MISSING = traceback.format_exc()

SPEC = {
    "snapshots": {"type": "dict"},
    "group": {"type": "str"},
    "fact": {"type": "str", "default": "arpflux_planned"},
    "require_all": {"type": "bool", "default": True},
    "fail_on": {"type": "list", "elements": "str", "choices": ["duplicate", "flux", "undetermined", "several"], "default": []},
    "order_by": {"type": "str"},
    "at_once": {"type": "int", "default": 1},
}


def judge(snapshots, fail_on):
    """Who answers on the wires that hosts share, and what of that is not wanted."""
    shared = arpflux.segments(snapshots)
    answers = [answer for segment in shared for answer in segment.answers]
    gaps = [str(gap) for gap in shared.missing]
    unwanted = [str(answer) for answer in answers if answer.outcome.value in fail_on]
    result = {
        "changed": False,
        "segments": [segment.to_dict() for segment in shared],
        "bad": [str(answer) for answer in answers if answer.is_bad],
        "undetermined": gaps,
    }
    return result, unwanted + (gaps if "undetermined" in fail_on else [])


def order(snapshots, policies, given):
    """In which order hosts are changed, as a play takes it, and what of that is not wanted."""
    found = arpflux.order(snapshots, policies, at_once=given["at_once"])
    batches = [[turn.host for turn in batch] for batch in found.batches]
    batches += [list(found.unchanged)] if found.unchanged else []
    turns = [turn.to_dict() for batch in found.batches for turn in batch]
    said = {
        "plan": found.to_dict(),
        "hosts": [host for batch in batches for host in batch],
        "serial": [len(batch) for batch in batches],
        "withdraw": {turn["host"]: turn["withdraw"] for turn in turns if turn["withdraw"]},
    }
    several = [doubt for doubt in found.doubts if doubt.ok is False and doubt.state is arpflux.DoubtState.SEVERAL]
    return said, [str(doubt) for doubt in several] if "several" in given["fail_on"] else []


class ActionModule(ActionBase):
    """The snapshots never leave the controller's memory: templates and module arguments would copy them."""

    def of_group(self, given, task_vars):
        """The snapshots of a group, and the hosts that have none."""
        played, hostvars = set(task_vars["ansible_play_hosts"]), task_vars["hostvars"]
        snapshots, left_out = {}, []
        for host in task_vars["groups"].get(given["group"], []):
            facts = hostvars.raw_get(host).get("ansible_facts", {}) if host in played else {}
            if given["fact"] in facts:
                snapshots[host] = arpflux.Snapshot.from_dict(facts[given["fact"]])
            else:
                left_out.append(host)
        return snapshots, left_out

    def ordered(self, hosts, given, task_vars):
        """In which order these hosts of the group are changed."""
        snapshots, policies = {}, {}
        for host in hosts:
            facts = task_vars["hostvars"].raw_get(host)["ansible_facts"]
            snapshots[host] = arpflux.Snapshot.from_dict(facts["arpflux_snapshot"])
            policies[host] = arpflux.Policy.from_dict(dict(task_vars["hostvars"][host][given["order_by"]]))
        return order(snapshots, policies, given)

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            SPEC, mutually_exclusive=[("snapshots", "group")], required_one_of=[("snapshots", "group")]
        )
        if arpflux is None:
            said = missing_required_lib("arpflux") + " It is wanted on the controller, by the Python that runs Ansible."
            result.update(failed=True, msg=said, exception=MISSING)
            return result
        try:
            if given["group"] is None:
                of = {name: arpflux.Snapshot.from_dict(values) for name, values in given["snapshots"].items()}
                found, unwanted = judge(of, given["fail_on"])
                looked, short = "", False
            else:
                snapshots, left_out = self.of_group(given, task_vars)
                found, unwanted = judge(snapshots, given["fail_on"])
                if given["order_by"]:
                    found["order"], more = self.ordered(snapshots, given, task_vars)
                    unwanted += more
                looked = f"looked at {len(snapshots)} of {len(snapshots) + len(left_out)} hosts of {given['group']}"
                looked += f", not at {', '.join(left_out[:20])}" if left_out else ""
                looked += f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
                found.update(looked=looked, left_out=left_out)
                short = given["require_all"] and (bool(left_out) or not snapshots)
        except arpflux.Error as error:
            result.update(failed=True, msg=str(error), kind=error.kind, hint=error.hint)
            return result
        result.update(found, msg="; ".join([looked, *unwanted] if looked else unwanted))
        if unwanted or short:
            result["failed"] = True
        return result
