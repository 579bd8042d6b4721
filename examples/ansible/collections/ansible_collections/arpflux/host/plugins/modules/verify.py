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
requirements: [arpflux]
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


def work(module, params):
    host, policy = common.host(params), common.policy(params)
    if module.check_mode:
        snapshot = host.snapshot()
        report = policy.verify(policy.plan(snapshot).predict(snapshot))
    else:
        report = host.verify(policy, wire=params["wire"])
    if report:
        if params["confirm"] and not module.check_mode:
            confirm(host, params)
        return {"changed": False, "report": report.to_dict()}
    result = {"report": report.to_dict(), "changed": False}
    if report.ok is None:
        said = "cannot be told: "
        why = "; ".join(str(gap) for gap in report.missing) or "; ".join(report.undetermined)
    else:
        said = "not as the policy says: "
        why = "; ".join(str(failure) for failure in report.failures) or "nothing was checked"
    if params["undo"] and not module.check_mode:
        undone = undo(host, params)
        if undone is not None:
            result.update(undone=undone.to_dict(), changed=True)
            why += "; undone"
            if undone.conflicts:
                why += ", but " + "; ".join(undone.conflicts)
    module.fail_json(msg=said + why, **result)


def confirm(host, params):
    try:
        host.confirm(**common.state(params))
    except common.arpflux.NotFound as error:
        # Nothing is on trial: it was as it should be before, or was made without a trial.
        if error.operation != "confirm":
            raise


def undo(host, params):
    try:
        on_trial = host.pending(state_dir=params["state_dir"])
        return on_trial and host.rollback(on_trial.id, **common.state(params))
    except common.arpflux.NotFound:
        return None


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
