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
requirements: [arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.policy]
attributes:
  check_mode: {support: full, description: Changes nothing anyway.}
  diff_mode: {support: none, description: Changes nothing.}
options:
  metrics:
    description:
      - Write numbers for Prometheus to this file, for node_exporter's textfile collector.
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

import os
import tempfile

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, params):
    snapshot = common.host(params).snapshot()
    facts = {"arpflux_snapshot": snapshot.to_dict()}
    result = {"changed": False, "ansible_facts": facts}
    if params["policy"] is not None or params["path"]:
        plan = common.policy(params).plan(snapshot)
        facts["arpflux_planned"] = plan.predict(snapshot).to_dict()
        result["changes"] = len(plan)
    if params["metrics"] and not module.check_mode:
        diagnosis = snapshot.diagnose(policy=common.policy(params) if "changes" in result else None, impact=False)
        write(module, params["metrics"], diagnosis.metrics())
    return result


def write(module, path, text):
    """The collector must never see half a file."""
    descriptor, unfinished = tempfile.mkstemp(dir=module.tmpdir)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(unfinished, 0o644)
    module.atomic_move(unfinished, path)


def main():
    module = AnsibleModule(
        {**common.HOST, **common.POLICY, "metrics": {"type": "path"}},
        mutually_exclusive=[("policy", "path")],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
