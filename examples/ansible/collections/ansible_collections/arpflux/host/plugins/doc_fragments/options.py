# SPDX-License-Identifier: MIT OR Apache-2.0
"""Options that several modules have, documented once. `plugins/module_utils/common.py` has their types."""

from __future__ import annotations


class ModuleDocFragment:
    """`arpflux.host.options.host`, `.policy` and `.state`."""

    HOST = r"""
options:
  netns:
    description: A network namespace of the host, by name or path. Without, the one that the module runs in.
    type: str
"""

    POLICY = r"""
options:
  policy:
    description: The policy, of the same structure as the policy file.
    type: dict
  path:
    description: A policy file on the host, TOML or JSON.
    type: path
"""

    STATE = r"""
options:
  state_dir:
    description: The folder for journals, locks and receipts. All who change the namespace have to agree.
    type: path
  lock_wait:
    description: How long to wait for another run that is changing the namespace, in seconds.
    type: float
    default: 10.0
"""
