# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the modules have in common."""

from __future__ import annotations

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    import arpflux

    MISSING = None
except ImportError:
    arpflux = None
    MISSING = traceback.format_exc()

HOST = {"netns": {"type": "str"}}
POLICY = {"policy": {"type": "dict"}, "path": {"type": "path"}}
SEGMENT = {
    "group": {"type": "str"},
    "fact": {"type": "str", "default": "arpflux_planned"},
    "require_all": {"type": "bool", "default": True},
    "fail_on": {"type": "list", "elements": "str", "choices": ["duplicate", "flux", "undetermined", "several"], "default": []},
    "order_by": {"type": "str"},
    "at_once": {"type": "int", "default": 1},
}
STATE = {"state_dir": {"type": "path"}, "lock_wait": {"type": "float", "default": 10.0}}


def run(module: AnsibleModule, work) -> None:
    """Calls `work` and fails the task with what is wrong and what to do about it."""
    if arpflux is None:
        module.fail_json(msg=missing_required_lib("arpflux"), exception=MISSING)
    try:
        module.exit_json(**work(module, module.params))
    except arpflux.Error as error:
        module.fail_json(
            msg=str(error), kind=error.kind, operation=error.operation, object=error.object, hint=error.hint
        )


def host(params):
    """The host that the task is about: a namespace, or where the module runs."""
    return arpflux.Host.netns(params["netns"]) if params["netns"] else arpflux.Host.current()


def policy(params):
    """The policy of the task, given as it is or as a file."""
    if params["path"]:
        return arpflux.Policy.load(params["path"])
    return arpflux.Policy.from_dict(params["policy"])


def state(params):
    """The keyword arguments that all transactions have."""
    return {"state_dir": params["state_dir"], "lock_wait": params["lock_wait"]}


def order(snapshots, policies, at_once):
    """In which order hosts are changed: all of them, in batches, and what is withdrawn elsewhere before each."""
    found = arpflux.order(snapshots, policies, at_once=at_once)
    batches, withdraw, leaving = {}, {}, []
    for step in found:
        if step.action is arpflux.OrderAction.WITHDRAW:
            leaving.append({"host": step.host, "addresses": [str(address) for address in step.addresses]})
            continue
        batches.setdefault(step.batch, []).append(step.host)
        if leaving:
            withdraw[step.host], leaving = leaving, []
    hosts = [host for batch in batches.values() for host in batch]
    rest = [host for host in snapshots if host not in hosts]
    return {
        "steps": [step.to_dict() for step in found],
        "doubts": [doubt.to_dict() for doubt in found.doubts],
        "hosts": hosts + rest,
        "batches": [len(batch) for batch in batches.values()] + ([len(rest)] if rest else []),
        "withdraw": withdraw,
        "ok": found.ok,
    }


def judge(snapshots, fail_on):
    """Who answers on the wires that hosts share, and whether that is among what is not wanted."""
    shared = arpflux.segments(snapshots)
    answers = [answer for segment in shared for answer in segment.answers]
    unwanted = [str(answer) for answer in answers if answer.outcome.value in fail_on]
    if "undetermined" in fail_on:
        unwanted += [str(gap) for gap in shared.missing]
    result = {
        "changed": False,
        "segments": [segment.to_dict() for segment in shared],
        "bad": [str(answer) for answer in answers if answer.is_bad],
        "undetermined": [str(gap) for gap in shared.missing],
    }
    return {**result, "failed": True, "msg": "; ".join(unwanted)} if unwanted else result
