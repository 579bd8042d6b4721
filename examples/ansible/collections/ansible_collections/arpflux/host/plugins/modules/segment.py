#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks at the wires that several hosts share."""

from __future__ import annotations

DOCUMENTATION = r"""
module: segment
short_description: Say who answers for which address on the wires that several hosts share
description:
  - Works on snapshots alone, so it runs anywhere, usually once on the controller.
  - Changes nothing.
author: The arpflux authors
requirements: [arpflux]
attributes:
  check_mode: {support: full, description: Changes nothing anyway.}
  diff_mode: {support: none, description: Changes nothing.}
options:
  snapshots:
    description: The snapshots, by the names of the hosts.
    type: dict
    required: true
  fail_on:
    description: Fail if any address comes to this.
    type: list
    elements: str
    choices: [duplicate, flux]
    default: []
"""

EXAMPLES = r"""
- arpflux.host.segment:
    snapshots: "{{ dict(ansible_play_hosts | zip(ansible_play_hosts
      | map('extract', hostvars, ['ansible_facts', 'arpflux_planned']))) }}"
    fail_on: [duplicate, flux, undetermined]
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
segments:
  description: The wires, with their interfaces and the answers for each address, duplicates first.
  returned: always
  type: list
  elements: dict
bad:
  description: Addresses that several MACs answer for, one sentence each.
  returned: always
  type: list
  elements: str
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common


def work(module, params):
    snapshots = {
        name: common.arpflux.Snapshot.from_dict(values) for name, values in params["snapshots"].items()
    }
    segments = common.arpflux.segments(snapshots)
    answers = [answer for segment in segments for answer in segment.answers]
    result = {
        "changed": False,
        "segments": [segment.to_dict() for segment in segments],
        "bad": [str(answer) for answer in answers if answer.is_bad],
    }
    unwanted = [str(answer) for answer in answers if answer.outcome.value in params["fail_on"]]
    if unwanted:
        module.fail_json(msg="; ".join(unwanted), **result)
    return result


def main():
    module = AnsibleModule(
        {
            "snapshots": {"type": "dict", "required": True},
            "fail_on": {"type": "list", "elements": "str", "choices": ["duplicate", "flux", "undetermined"], "default": []},
        },
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
