#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Looks at the wires that several hosts share."""

from __future__ import annotations

DOCUMENTATION = r"""
module: segment
short_description: Say who answers for which address on the wires that several hosts share
description:
  - It runs on the controller, in the Python that runs Ansible itself, which needs the package arpflux.
  - With O(group) it looks at the facts of the hosts of a group. Hosts that have none (left out by C(--limit), dead) are
    counted and named.
  - Changes nothing.
author: The arpflux authors (@arpflux)
requirements: [the Python package arpflux on the controller]
attributes:
  check_mode: {support: full, description: Changes nothing anyway.}
  diff_mode: {support: none, description: Changes nothing.}
options:
  snapshots:
    description: The snapshots, by the names of the hosts.
    type: dict
  group:
    description: The group whose hosts are looked at.
    type: str
  fact:
    description: The fact that has the snapshot of each host of O(group), as M(arpflux.host.facts) sets it.
    type: str
    default: arpflux_planned
  require_all:
    description: Fail if not every host of O(group) was looked at.
    type: bool
    default: true
  fail_on:
    description: Fail if any address comes to this; V(several) means that on the way, in the best order, two hosts answer for one
      that one answered for, or that they go on doing so.
    type: list
    elements: str
    choices: [duplicate, flux, undetermined, several]
    default: []
  order_by:
    description:
      - The variable that has the policy of each host of O(group). With it RV(order) says in which order they are changed.
      - It needs the fact C(arpflux_snapshot) of each, as M(arpflux.host.facts) sets it.
    type: str
  at_once:
    description: How many hosts are changed at once, at most.
    type: int
    default: 1
"""

EXAMPLES = r"""
- arpflux.host.segment:
    group: segment
    fail_on: [duplicate, flux, undetermined]
  run_once: true
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
undetermined:
  description: What could not be told, one sentence each.
  returned: always
  type: list
  elements: str
looked:
  description: How many hosts were looked at, and which were not.
  returned: with a group
  type: str
order:
  description: In which order the hosts are changed.
  returned: with O(order_by)
  type: dict
  contains:
    plan: {description: What C(arpflux segments --policies --json) prints., type: dict}
    hosts: {description: The hosts; those that do not change come last., type: list, elements: str}
    serial: {description: How many of them are changed at once., type: list, elements: int}
    withdraw:
      description: By host, C(host) and C(addresses) that are deleted from proxy entries elsewhere immediately before.
      type: dict
left_out:
  description: The hosts of the group that were not looked at.
  returned: with a group
  type: list
  elements: str
"""
