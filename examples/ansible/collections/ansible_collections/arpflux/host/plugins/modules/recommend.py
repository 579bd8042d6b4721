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
requirements: [arpflux]
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


def work(module, params):
    found = common.host(params).snapshot().recommend()
    if found.ok is None:
        module.warn("whether the policy works cannot be told: " + "; ".join(map(str, found.proof.missing)))
    return {
        "changed": False,
        "policy": found.policy.to_dict(),
        "toml": found.to_toml(),
        "reasons": dict(found.reasons),
        "notes": list(found.notes),
        "ok": found.ok,
    }


def main():
    common.run(AnsibleModule(common.HOST, supports_check_mode=True), work)


if __name__ == "__main__":
    main()
