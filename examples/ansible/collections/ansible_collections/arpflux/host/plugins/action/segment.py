# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks at the wires of a whole group on the controller, with the hosts' facts as they are there."""

from __future__ import annotations

from ansible.plugins.action import ActionBase

from ansible_collections.arpflux.host.plugins.module_utils import common


class ActionModule(ActionBase):
    """With `group` the snapshots never leave the controller's memory; templates and module arguments would copy them."""

    def order(self, hosts, given, task_vars):
        """In which order these hosts of the play are changed."""
        snapshots, policies = {}, {}
        for host in hosts:
            variables = task_vars["hostvars"][host]
            facts = task_vars["hostvars"].raw_get(host)["ansible_facts"]
            snapshots[host] = common.arpflux.Snapshot.from_dict(facts["arpflux_snapshot"])
            policies[host] = common.arpflux.Policy.from_dict(dict(variables[given["order_by"]]))
        return common.order(snapshots, policies, given["at_once"])

    def run(self, tmp=None, task_vars=None):
        result = super().run(tmp, task_vars)
        arguments = self._task.args
        if "group" not in arguments:
            result.update(self._execute_module(module_name="arpflux.host.segment", task_vars=task_vars))
            return result
        _, given = self.validate_argument_spec(
            {**common.SEGMENT, "snapshots": {"type": "dict"}}, mutually_exclusive=[("snapshots", "group")]
        )
        if common.arpflux is None:
            result.update(failed=True, msg="The package arpflux is missing in the Python that runs Ansible itself")
            return result
        hosts = task_vars["groups"].get(given["group"], [])
        played = set(task_vars["ansible_play_hosts"])
        snapshots, left_out = {}, []
        for host in hosts:
            facts = task_vars["hostvars"].raw_get(host).get("ansible_facts", {}) if host in played else {}
            if given["fact"] in facts:
                snapshots[host] = common.arpflux.Snapshot.from_dict(facts[given["fact"]])
            else:
                left_out.append(host)
        looked = f"looked at {len(snapshots)} of {len(hosts)} hosts of {given['group']}"
        try:
            result.update(common.judge(snapshots, given["fail_on"]))
            if given["order_by"]:
                result["order"] = self.order(list(snapshots), given, task_vars)
                several = [one for one in result["order"]["doubts"] if one["state"] == "several" and one["from_batch"]]
                if several and "several" in given["fail_on"]:
                    said = [result["msg"]] if "msg" in result else []
                    said += [f"on the way {one['address']} has answers of {', '.join(one['hosts'])}" for one in several]
                    result.update(failed=True, msg="; ".join(said))
        except common.arpflux.Error as error:
            result.update(failed=True, msg=str(error), kind=error.kind, hint=error.hint)
        if left_out or not snapshots:
            looked += f", not at {', '.join(left_out[:20])}" if left_out else ""
            looked += f" and {len(left_out) - 20} more" if len(left_out) > 20 else ""
            if given["require_all"]:
                result["failed"] = True
        result.update(looked=looked, left_out=left_out)
        result["msg"] = f"{looked}; {result['msg']}" if "msg" in result else looked
        return result
