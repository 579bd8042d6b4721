# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the modules have in common: they call the command and read its JSON, so that a host needs nothing else."""

from __future__ import annotations

import json
import os
import sys

from ansible.module_utils.basic import AnsibleModule

HOST = {"netns": {"type": "str"}}
POLICY = {"policy": {"type": "dict"}, "path": {"type": "path"}}
STATE = {"state_dir": {"type": "path"}, "lock_wait": {"type": "float", "default": 10.0}}
#: What the exit codes of verbs that judge mean.
OK = {0: True, 1: False, 6: None}
ABSENT = "The command arpflux is not on this host: the role arpflux.host.install brings it, as does the Python package"


class Failed(Exception):
    """The command ended with an error, as it wrote it."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.error = error


class Command:
    """The command `arpflux` where the module runs."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module, self.params = module, module.params
        # The Python package brings the command beside its interpreter.
        beside = [os.path.dirname(sys.executable)]
        self.path = module.get_bin_path("arpflux", opt_dirs=beside) or module.fail_json(msg=ABSENT)
        self.where = ["--netns", self.params["netns"]] if self.params.get("netns") else []

    def text(self, verb, *options):
        """The exit code, and what is printed."""
        return self.module.run_command([self.path, *verb, *self.where, *options])

    def __call__(self, *verb, options=(), of=None):
        """The exit code and the record that is printed, of the host or of a snapshot. Raises `Failed`."""
        if of is None:
            code, out, err = self.text(verb, "--json", *options)
        else:
            words = [self.path, *verb, "--json", "--snapshot", "-", *options]
            code, out, err = self.module.run_command(words, data=json.dumps(of))
        try:
            record = json.loads(out)
        except ValueError:
            self.module.fail_json(msg=(err or out).strip() or f"arpflux ended with {code}", rc=code)
        if "error" in record:
            raise Failed(record["error"])
        return code, record

    def harms(self, options):
        """What applying would harm, one sentence each, and the last line: what cannot be told of it."""
        lines = self.text(["apply", "--dry-run"], *options)[1].strip().splitlines()
        return [line[len("HARM") :].strip() for line in lines if line.startswith("HARM")], lines[-1]

    def policy(self):
        """The policy of the task as a file; nothing without one."""
        if self.params["path"]:
            return ["--policy", self.params["path"]]
        if self.params["policy"] is None:
            return []
        path = os.path.join(self.module.tmpdir, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.params["policy"], file)
        return ["--policy", path]

    def state(self):
        """The options that all transactions have."""
        folder = ["--state-dir", self.params["state_dir"]] if self.params["state_dir"] else []
        return [*folder, "--wait", seconds(self.params["lock_wait"])]


def seconds(time):
    """A time as the command reads it."""
    return f"{round(time * 1000)}ms"


def run(module: AnsibleModule, work) -> None:
    """Calls `work` and fails the task with what is wrong and what to do about it."""
    try:
        module.exit_json(**work(module, Command(module)))
    except Failed as failed:
        error = failed.error
        where = ": ".join(part for part in (error["operation"], error["object"]) if part)
        said = "; ".join(part for part in (error["message"], error["hint"]) if part)
        module.fail_json(msg=f"{where}: {said}" if where else said, **{key: error[key] for key in ("kind", "operation", "object", "hint")})
