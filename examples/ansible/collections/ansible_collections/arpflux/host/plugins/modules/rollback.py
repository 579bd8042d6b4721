#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Takes a transaction back."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback
short_description: Take a transaction back
description:
  - Takes back the transaction of a number, as RV(arpflux.host.policy#module:receipt) has it, or the last that a person made.
  - What somebody else changed since is left alone, and named.
author: The arpflux authors (@arpflux)
requirements: [arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.state]
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: RV(receipt) has what was changed.}
options:
  id:
    description: The number of the transaction; without, the last that a person made and that stands.
    type: int
  force:
    description: Take back what somebody else changed since as well.
    type: bool
    default: false
"""

EXAMPLES = r"""
- arpflux.host.rollback:
    id: "{{ made.receipt.id }}"
"""

RETURN = r"""
receipt:
  description: What was taken back; C(conflicts) in it has what was left.
  returned: always but in check mode
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, params):
    if module.check_mode:
        return {"changed": True}
    receipt = common.host(params).rollback(params["id"], force=params["force"], **common.state(params))
    return {"changed": bool(receipt.changes), "receipt": receipt.to_dict()}


def main():
    module = AnsibleModule(
        {**common.HOST, **common.STATE, "id": {"type": "int"}, "force": {"type": "bool", "default": False}},
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
