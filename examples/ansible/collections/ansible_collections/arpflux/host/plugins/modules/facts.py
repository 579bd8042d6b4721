#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Takes a snapshot."""

from __future__ import annotations

DOCUMENTATION = r"""
module: facts
short_description: Take a snapshot of everything that decides about ARP
description:
  - Sets the fact C(arpflux_snapshot), and with a policy also C(arpflux_planned), the state that the policy leads to.
  - Changes nothing on the network.
author: The arpflux authors (@arpflux)
requirements: [the command arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.policy]
attributes:
  check_mode: {support: full, description: Changes nothing anyway.}
  diff_mode: {support: none, description: Changes nothing.}
options:
  metrics:
    description:
      - Write numbers for Prometheus to this file, for node_exporter's textfile collector; its name ends in C(.prom).
      - They differ each time, which does not count as a change. In check mode nothing is written.
    type: path
"""

EXAMPLES = r"""
- arpflux.host.facts:
    policy: "{{ arpflux_policy }}"
"""

RETURN = r"""
ansible_facts:
  description: The snapshot, and with a policy what it leads to.
  returned: always
  type: dict
  contains:
    arpflux_snapshot: {description: What C(arpflux snapshot --json) prints., type: dict, returned: always}
    arpflux_planned: {description: The same after the policy., type: dict, returned: with a policy}
changes:
  description: How many changes the policy asks for.
  returned: with a policy
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, command):
    _, snapshot = command("snapshot")
    facts = {"arpflux_snapshot": snapshot}
    result = {"changed": False, "ansible_facts": facts}
    policy = command.policy()
    if policy:
        _, facts["arpflux_planned"] = command("snapshot", "--planned", policy[1], of=snapshot)
        _, plan = command("plan", "--no-impact", options=policy, of=snapshot)
        result["changes"] = len(plan["changes"])
    if module.params["metrics"] and not module.check_mode:
        command("diagnose", "--no-impact", options=[*policy, "--metrics", module.params["metrics"]])
    return result


def main():
    module = AnsibleModule(
        {**common.HOST, **common.POLICY, "metrics": {"type": "path"}},
        mutually_exclusive=[("policy", "path")],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
