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
requirements: [arpflux]
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
  description: The entries that come or go, one line each.
  returned: always
  type: list
  elements: str
receipt:
  description: What the transaction did.
  returned: when something was changed
  type: dict
"""

from ipaddress import ip_address

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, params):
    host, add = common.host(params), params["state"] == "present"
    addresses = [ip_address(address) for address in params["addresses"]]
    snapshot = host.snapshot()
    there = [(entry.address, snapshot.interface_name(entry.interface)) for entry in snapshot.proxies]
    if add:
        snapshot.interface(params["interface"])
        here = params["interface"]
        go = [one for one in there if params["only"] and one[0] in addresses and one[1] != here]
        come = [(address, here) for address in addresses if (address, here) not in there]
    else:
        go, come = [one for one in there if one[0] in addresses and params["interface"] in (None, one[1])], []
    changes = [f"- {address} on {name}" for address, name in go] + [f"+ {address} on {name}" for address, name in come]
    result = {"changed": bool(changes), "changes": changes}
    if changes and not module.check_mode:
        if add:
            receipt = host.add_proxies(
                addresses, interface=params["interface"], only=params["only"], **common.state(params)
            )
        else:
            receipt = host.remove_proxies(addresses, interface=params["interface"], **common.state(params))
        result["receipt"] = receipt.to_dict()
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
