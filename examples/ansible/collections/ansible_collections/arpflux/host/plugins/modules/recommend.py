#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Says which policy fits a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: recommend
short_description: Say which policy fits a host, and why
description:
  - Changes nothing. The policy can be given to M(arpflux.host.policy) as it is.
  - Fails where no policy would work on the host as it is.
author: The arpflux authors (@arpflux)
requirements: [the command arpflux]
extends_documentation_fragment: [arpflux.host.options.host]
attributes:
  check_mode: {support: full, description: Changes nothing anyway.}
  diff_mode: {support: none, description: Changes nothing.}
"""

EXAMPLES = r"""
- arpflux.host.recommend:
  register: recommended

- arpflux.host.policy:
    policy: "{{ recommended.policy }}"
    confirm: 60
"""

RETURN = r"""
policy:
  description: The policy.
  returned: always
  type: dict
toml:
  description: The same as a policy file, with the reasons as comments.
  returned: always
  type: str
reasons:
  description: Why, by the key of the policy.
  returned: always
  type: dict
notes:
  description: What else there is to know, one sentence each.
  returned: always
  type: list
  elements: str
ok:
  description: Whether everything is as it should be with the policy; null where that cannot be told.
  returned: always
  type: bool
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, command):
    code, found = command("recommend")
    if code == 6:
        gaps = "; ".join(gap["what"] for gap in found["proof"]["missing"])
        module.warn(f"whether the policy works cannot be told: {gaps}")
    return {
        "changed": False,
        "policy": found["policy"],
        "toml": found["file"],
        "reasons": {one["key"]: one["text"] for one in found["reasons"]},
        "notes": found["notes"],
        "ok": common.OK[code],
    }


def main():
    common.run(AnsibleModule(common.HOST, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
