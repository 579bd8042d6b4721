#!/usr/bin/python
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Keeps a policy over reboots, and watches over it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: watch
short_description: Keep a policy over reboots and watch over it, by a unit of systemd
description:
  - Makes the policy so, as one transaction with the files that keep it - C(/etc/arpflux/policy.toml), C(sysctl.d) and the unit
    C(arpflux.service), which runs C(arpflux watch --heal). They are what C(arpflux apply --persist --manager systemd) writes.
  - With O(metrics) the watch writes them, by a drop-in of the unit.
  - The unit is started, or started anew where something changed.
author: The arpflux authors (@arpflux)
requirements: [the command arpflux, systemd]
extends_documentation_fragment: [arpflux.host.options.host, arpflux.host.options.policy, arpflux.host.options.state]
attributes:
  check_mode: {support: full, description: Plans and changes nothing.}
  diff_mode: {support: full, description: Shows each change and each file.}
options:
  metrics:
    description: Where the watch writes numbers for node_exporter's textfile collector; its name ends in C(.prom).
    type: path
  accept_harm:
    description: Make it so even if an address loses its last answer, or a neighbour or container its way.
    type: bool
    default: false
  root:
    description: The folder that stands for C(/), of an image or a container. No unit is started then.
    type: path
"""

EXAMPLES = r"""
- arpflux.host.watch:
    policy: "{{ arpflux_policy }}"
    metrics: /var/lib/prometheus/node-exporter/arpflux.prom
"""

RETURN = r"""
changes:
  description: What is changed on the network, one line each.
  returned: always
  type: list
  elements: str
files:
  description: The files that are written or removed.
  returned: always
  type: list
  elements: str
receipt:
  description: What the transaction did; its id names it in C(arpflux rollback).
  returned: when something was changed
  type: dict
"""

import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.arpflux.host.plugins.module_utils import common

UNIT = "etc/systemd/system/arpflux.service"


def drop_in(module, unit):
    """The text of the drop-in: the unit's own line with the metrics, and leave to write their folder."""
    if module.params["metrics"] is None:
        return None
    (start,) = [line for line in unit.splitlines() if line.startswith("ExecStart=")]
    folder = os.path.dirname(module.params["metrics"])
    return f"[Service]\nExecStart=\n{start} --metrics {module.params['metrics']}\nReadWritePaths={folder}\n"


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(module, path, text):
    """Writes a file as a whole, or removes it."""
    if text is None:
        os.unlink(path)
        return
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    unfinished = os.path.join(module.tmpdir, "drop-in")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(unfinished, 0o644)
    module.atomic_move(unfinished, path)


def systemctl(module, *words):
    return module.run_command([module.get_bin_path("systemctl", required=True), *words])[0] == 0


def work(module, command):
    params, root = module.params, module.params["root"] or "/"
    options = [*command.policy(), "--persist", "--manager", "systemd", "--root", root, "--command", command.path]
    code, plan = command("apply", "--dry-run", options=options)
    files = plan.get("files", [])
    result = {"changes": plan["rows"], "files": [file["path"] for file in files]}
    if module.check_mode and code == 1 and not params["accept_harm"]:
        return {**result, "changed": True, "failed": True, "msg": "it would do harm: " + "; ".join(command.harms(options)[0])}
    unit = os.path.join(root, UNIT)
    coming = [file["after"].get("text") for file in files if file["path"] == unit]
    path = f"{unit}.d/metrics.conf"
    text = drop_in(module, coming[0] if coming else read(unit) or "ExecStart=")
    if text != read(path):
        result["files"].append(path)
    result["changed"] = bool(plan["changes"] or result["files"])
    if module._diff and result["changed"]:
        result["diff"] = {"prepared": "\n".join([*plan["rows"], *result["files"]]) + "\n"}
    if module.check_mode:
        return result
    if plan["changes"] or files:
        harm = ["--accept-harm"] if params["accept_harm"] else []
        _, result["receipt"] = command("apply", options=[*options, *harm, *command.state()])
    if text != read(path):
        write(module, path, text)
    if params["root"] is None:
        verb = "restart" if result["changed"] else "start"
        result["changed"] |= not systemctl(module, "is-active", "--quiet", "arpflux.service")
        if not (systemctl(module, "daemon-reload") and systemctl(module, verb, "arpflux.service")):
            return {**result, "failed": True, "msg": "arpflux.service does not start: `journalctl -u arpflux` says why"}
    return result


def main():
    module = AnsibleModule(
        {
            **common.HOST,
            **common.POLICY,
            **common.STATE,
            "metrics": {"type": "path"},
            "accept_harm": {"type": "bool", "default": False},
            "root": {"type": "path"},
        },
        mutually_exclusive=[("policy", "path")],
        required_one_of=[("policy", "path")],
        supports_check_mode=True,
    )
    common.run(module, work)


if __name__ == "__main__":
    main()
