#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Makes a policy so."""

from __future__ import annotations

DOCUMENTATION = r"""
module: policy
short_description: Make an ARP policy so, as one transaction
description:
  - Changes what is not as the policy says, all of it or nothing of it. What the policy does not name is never touched.
  - A change that would do harm fails the task, in check mode too, unless O(accept_harm) is set.
  - With O(confirm) the change is on trial. It is undone unless M(arpflux.host.verify) with O(confirm=true), or
    C(arpflux confirm), comes in time, even if the host can no longer be reached.
author: The arpflux authors (@arpflux)
requirements: [the command arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.policy, arpflux.host.options.state]
attributes:
  check_mode: {support: full, description: Plans and changes nothing.}
  diff_mode: {support: full, description: Shows each change with the value before and after.}
options:
  confirm:
    description: Undo the change unless it is confirmed within this time, in seconds, 1 to 86400.
    type: float
  accept_harm:
    description: Make it so even if an address loses its last answer, or a neighbour or container its way.
    type: bool
    default: false
"""

EXAMPLES = r"""
- arpflux.host.policy:
    policy:
      version: 1
      host: {interfaces: [eth0, eth3, eth4]}
      proxy:
        - {owner: "101", addresses: [192.168.18.101], interface: eth3}
    confirm: 60
"""

RETURN = r"""
changes:
  description: What was changed, or would be, one line each.
  returned: always
  type: list
  elements: str
plan:
  description: The plan.
  returned: always
  type: dict
decisions:
  description: What was chosen where the policy left it open, and why.
  returned: always
  type: list
  elements: str
assessment:
  description: What the plan harms (C(harm)); C(unknown) and C(missing) where that cannot be told of every address.
  returned: always
  type: dict
receipt:
  description: What the transaction did; its id names it in C(arpflux rollback).
  returned: when something was changed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, command):
    params, policy = module.params, command.policy()
    code, plan = command("apply", "--dry-run", options=policy)
    assessment = {key: plan[key] for key in ("harm", "unknown", "missing") if key in plan}
    result = {"changed": bool(plan["changes"]), "changes": plan["rows"], "plan": plan, "decisions": plan["decisions"]}
    result["assessment"] = {"ok": common.OK[code], **assessment}
    if code == 6:
        module.warn(command.harms(policy)[1])
    if module.check_mode and code == 1 and not params["accept_harm"]:
        return {**result, "failed": True, "msg": "it would do harm: " + "; ".join(command.harms(policy)[0])}
    if module._diff and plan["changes"]:
        result["diff"] = {"prepared": "\n".join(plan["rows"]) + "\n"}
    if plan["changes"] and not module.check_mode:
        options = [*policy, *command.state()]
        if params["confirm"] is not None:
            # It waits for its confirmation in a process of its own.
            options += ["--confirm", common.seconds(params["confirm"])]
        if params["accept_harm"]:
            options.append("--accept-harm")
        _, result["receipt"] = command("apply", options=options)
    return result


def main():
    module = AnsibleModule(
        {
            **common.HOST,
            **common.POLICY,
            **common.STATE,
            "confirm": {"type": "float"},
            "accept_harm": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("policy", "path")],
        required_one_of=[("policy", "path")],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
