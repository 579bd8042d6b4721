#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Adds and deletes proxy entries."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proxy
short_description: Add or delete proxy entries, as one transaction
description:
  - With O(state=present) the host answers for the addresses on O(interface), and peers are told.
  - With O(state=absent) it stops. What a policy wants besides (rules, tables) is left to M(arpflux.host.policy).
  - What it did is taken back by M(arpflux.host.rollback) with the number in RV(receipt).
author: The arpflux authors (@arpflux)
requirements: [the command arpflux]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.state]
attributes:
  check_mode: {support: full, description: Changes nothing.}
  diff_mode: {support: none, description: RV(changes) has what is changed.}
options:
  addresses:
    description: The addresses.
    type: list
    elements: str
    required: true
  interface:
    description: The interface to answer on. With O(state=absent) the one to stop on; without, all.
    type: str
  state:
    description: Whether the entries shall be there.
    type: str
    choices: [present, absent]
    default: present
  only:
    description: Also delete the entries of the same addresses on all other interfaces.
    type: bool
    default: false
"""

EXAMPLES = r"""
- arpflux.host.proxy:
    addresses: [192.168.18.101]
    interface: eth3
    only: true

- arpflux.host.proxy:
    addresses: [192.168.18.101]
    state: absent
"""

RETURN = r"""
changes:
  description: What comes or goes, one line each.
  returned: always
  type: list
  elements: str
receipt:
  description: What the transaction did.
  returned: when something was changed
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, command):
    params = module.params
    options = [] if params["interface"] is None else ["--interface", params["interface"]]
    if params["only"] and params["state"] == "present":
        options.append("--only")
    verb = ("proxy", "add" if params["state"] == "present" else "del")
    options += params["addresses"]
    _, plan = command(*verb, "--plan", options=[*command.state(), *options])
    result = {"changed": bool(plan["changes"]), "changes": plan["rows"]}
    if plan["changes"] and not module.check_mode:
        _, result["receipt"] = command(*verb, options=[*command.state(), *options])
    return result


def main():
    module = AnsibleModule(
        {
            **common.HOST,
            **common.STATE,
            "addresses": {"type": "list", "elements": "str", "required": True},
            "interface": {"type": "str"},
            # Of the entries; the folder is `state_dir`.
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "only": {"type": "bool", "default": False},
        },
        required_if=[("state", "present", ["interface"])],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
