#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Checks a policy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verify
short_description: Check that a host is as a policy says
description:
  - Every value, entry, rule and route; by the model of the kernel for all senders and targets; by frames with O(wire).
  - Fails if anything is not so, or cannot be told. With O(undo) what is on trial is taken back then, exactly.
  - In check mode it checks the state that the policy leads to, and sends no frames.
author: The arpflux authors (@arpflux)
requirements: [the command arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.policy, arpflux.host.options.state]
attributes:
  check_mode: {support: full, description: Checks what the policy would lead to.}
  diff_mode: {support: none, description: Changes nothing but back.}
options:
  wire:
    description: Also ask the host itself, as if from the wire, without a frame on it.
    type: str
    choices: [self]
  confirm:
    description: Keep what is on trial if everything is as it should be.
    type: bool
    default: false
  undo:
    description: Take back what is on trial if it is not. What was kept before stays.
    type: bool
    default: false
"""

EXAMPLES = r"""
- arpflux.host.verify:
    policy: "{{ arpflux_policy }}"
    wire: self
    confirm: true
    undo: true
"""

RETURN = r"""
report:
  description: What C(arpflux verify --json) prints.
  returned: always
  type: dict
undone:
  description: The receipt of taking it back.
  returned: when verification failed, with undo, and something was on trial
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, command):
    params, policy = module.params, command.policy()
    if module.check_mode:
        _, planned = command("snapshot", "--planned", policy[1])
        _, report = command("verify", options=policy, of=planned)
    else:
        _, report = command("verify", options=[*policy, *(["--wire", params["wire"]] if params["wire"] else [])])
    if report["ok"]:
        if params["confirm"] and not module.check_mode:
            confirm(command)
        return {"changed": False, "report": report}
    result = {"report": report, "changed": False}
    if report["ok"] is None:
        said = "cannot be told: "
        why = "; ".join(gap["what"] for gap in report["missing"]) or "; ".join(report["undetermined"])
    else:
        said = "not as the policy says: "
        failures = [f"{one['object']}: expected {one['expected']}, found {one['found']}" for one in report["failures"]]
        why = "; ".join(failures) or "nothing was checked"
    if params["undo"] and not module.check_mode:
        undone = undo(command)
        if undone is not None:
            result.update(undone=undone, changed=True)
            why += "; undone"
            if undone["conflicts"]:
                why += ", but " + "; ".join(map(str, undone["conflicts"]))
    return {**result, "failed": True, "msg": said + why}


def confirm(command):
    try:
        command("confirm", options=command.state())
    except common.Failed as failed:
        # Nothing is on trial: it was as it should be before, or was made without a trial.
        if failed.error["kind"] != "not_found" or failed.error["operation"] != "confirm":
            raise


def undo(command):
    _, status = command("confirm", "--status", options=command.state())
    waiting = status.get("waiting")
    return waiting and command("rollback", str(waiting["id"]), options=command.state())[1]


def main():
    module = AnsibleModule(
        {
            **common.HOST,
            **common.POLICY,
            **common.STATE,
            "wire": {"type": "str", "choices": ["self"]},
            "confirm": {"type": "bool", "default": False},
            "undo": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("policy", "path")],
        required_one_of=[("policy", "path")],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
