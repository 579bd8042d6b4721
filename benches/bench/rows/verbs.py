"""Whole verbs of the command on stored snapshots of large hosts, from their start to their end."""

import subprocess

from ..build import OUT, RELEASE
from ..contender import Contender
from ..row import Reach, Row

COMMAND = str(RELEASE / "arpflux")

HOSTS = {
    "large": ("an interface in 25 with an address, and ten proxy entries for each interface", [100, 1_000], 1e9),
    "one-wire": ("an address each, all in one subnet on one wire", [30, 300, 3_000], 5e9),
}

# `good` is the host as the policy leaves it.
VERBS = {
    "explain": lambda at: ["explain", "--snapshot", f"{at}/host.json"],
    "diagnose": lambda at: ["diagnose", "--snapshot", f"{at}/host.json"],
    "plan": lambda at: ["plan", "--snapshot", f"{at}/host.json", f"{at}/policy.toml"],
    "verify": lambda at: ["verify", "--snapshot", f"{at}/good.json", f"{at}/policy.toml"],
    "recommend": lambda at: ["recommend", "--snapshot", f"{at}/host.json"],
}


def rows(_reasons: dict) -> list[Row]:
    """Each verb on each host."""
    return [_row(host, verb) for host in HOSTS for verb in VERBS]


def _row(host: str, verb: str) -> Row:
    what, sizes, reach = HOSTS[host]
    folder = OUT / f"verbs-{host}"

    def setup(size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(RELEASE / "arpflux-bench"), "host", host, str(size), str(folder)], check=True)

    return Row(
        key=f"verbs-{host}-{verb}",
        work=f"`arpflux {verb}` of a large host: {what}",
        unit="interfaces",
        sizes=sizes,
        measure="wall",
        reach=Reach(ns=reach),
        setup=setup,
        rounds=3,
        leaves=(str(folder),),
        contenders=[
            Contender(
                f"arpflux {verb}",
                "ours",
                lambda n: [COMMAND, *VERBS[verb](folder)],
                tells=False,
                # What is wrong with the host, or cannot be told of it, is an answer.
                exits=(0, 1, 6),
            )
        ],
    )
