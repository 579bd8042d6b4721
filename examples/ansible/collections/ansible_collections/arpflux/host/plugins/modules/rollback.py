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
requirements: [the command arpflux]
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
  unless_answered:
    description:
      - Ask first who answers for the addresses that would be published again, for this many seconds at most, until nobody does.
        If somebody still does, nothing is taken back; RV(answered) names the addresses.
    type: float
"""

EXAMPLES = r"""
- arpflux.host.rollback:
    id: "{{ made.receipt.id }}"
"""

RETURN = r"""
receipt:
  description: What was taken back; C(conflicts) in it has what was left.
  returned: when it was taken back
  type: dict
answered:
  description: The addresses that somebody else answers for.
  returned: when nothing was taken back because of them
  type: list
  elements: str
"""

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def published_again(command, number):
    """The proxy entries that come back with a transaction: interface and addresses."""
    _, known = command("rollback", "--list", options=command.state())
    changes = [change for one in known["transactions"] if one["id"] == number for change in one["changes"]]
    _, snapshot = command("snapshot")
    names = {one["index"]: one["name"] for one in snapshot["interfaces"]}
    found = {}
    for change in changes:
        entry = change["object"].get("proxy")
        if entry and entry["interface"] in names and change["before"] != "absent" and change["after"] == "absent":
            found.setdefault(names[entry["interface"]], []).append(entry["address"])
    return found


def answered(command, entries, wait):
    """The addresses that somebody else still answers for after so many seconds."""
    end = time.monotonic() + wait
    while True:
        heard = []
        for interface, addresses in entries.items():
            _, probed = command("probe", options=["--interface", interface, "--tries", "1", *addresses])
            heard += [one["target"] for one in probed["addresses"] if one["macs"]]
        if not heard or time.monotonic() >= end:
            return heard
        time.sleep(0.2)


def work(module, command):
    params = module.params
    if module.check_mode:
        return {"changed": True}
    number = [] if params["id"] is None else [str(params["id"])]
    if params["unless_answered"] is not None:
        elsewhere = answered(command, published_again(command, params["id"]), params["unless_answered"])
        if elsewhere:
            return {"changed": False, "answered": elsewhere, "msg": f"left as it is: others answer for {', '.join(elsewhere)}"}
    force = ["--force"] if params["force"] else []
    _, receipt = command("rollback", *number, options=[*force, *command.state()])
    return {"changed": bool(receipt["changes"]), "receipt": receipt}


def main():
    module = AnsibleModule(
        {
            **common.HOST,
            **common.STATE,
            "id": {"type": "int"},
            "force": {"type": "bool", "default": False},
            "unless_answered": {"type": "float"},
        },
        required_by={"unless_answered": "id"},
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
