"""The command, from its start to its end; and the watcher, from a change to its repair."""

from ..build import RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import sh, veths
from ..row import Reach, Row


def rows(_reasons: dict) -> list[Row]:
    """Start-up, and healing."""
    command = str(RELEASE / "arpflux")
    return [
        Row(
            key="start",
            work="`arpflux explain ADDRESS`: start to end",
            unit="interfaces",
            sizes=[2, 10, 100],
            measure="wall",
            reach=Reach(ns=5e6),
            reach_size=10,
            setup=veths,
            rounds=15,
            contenders=[
                Contender("arpflux explain", "ours", lambda n: [command, "explain", "10.100.0.1"], tells=False),
                Contender("ip -j address", "peer", lambda n: ["ip", "-j", "address"], tells=False),
            ],
        ),
        _heal("sysctl", "A sysctl written by somebody else is put right", 1e6),
        _heal("proxy", "A proxy entry on the wrong NIC is removed (10,000 others there)", 100e6),
        _heal("rules", "All rules removed and a sysctl written: right again after the last of it", 50e6),
        _heal("rules-worst", "The same, the longest of 15", 50e6),
        _heal("pair-worst", "Two rules removed 2 to 12 ms apart: right again after the second, the longest of 15", 50e6),
        _heal("routes-worst", "Routes of own tables replaced: right again after the last, the longest of 15", 50e6),
        _heal("link-worst", "A card set down and up: right again after that, the longest of 8", 50e6),
    ]


def _heal(what: str, work: str, reach: float) -> Row:
    rules = what not in ("sysctl", "proxy")
    # Few enough that no fight is seen in it: a card that goes and comes takes two repairs.
    rounds = 8 if what.startswith("link") else 15 if rules else 40

    def setup(size: int) -> None:
        veths(size if rules else 2)
        if rules:
            # Two in one subnet, whose addresses get rules.
            sh("ip address add 10.100.0.2/24 dev v1")
        if what == "proxy":
            # On the other end: the policy is about v0 only.
            sh(f"{RELEASE}/arpflux-bench proxies add v1 {size}")

    def check(_contender: Contender, _size: int, taken: Taken) -> None:
        if taken.result != rounds:
            raise Void(f"{taken.result} repairs instead of {rounds}")

    return Row(
        key=f"heal-{what}",
        work=work,
        unit="proxy entries" if what == "proxy" else "interfaces",
        sizes=[10_000] if what == "proxy" else [10, 1_000] if rules else [2],
        measure="wall",
        reach=Reach(ns=reach),
        setup=setup,
        check=check,
        rounds=3,
        note=f"Each run is the {'longest' if 'worst' in what else 'median'} of {rounds} changes, from before the change "
        "(from after the last one of a burst) to its effect being gone.",
        contenders=[
            Contender(
                "arpflux watch",
                "ours",
                lambda n: [str(RELEASE / "arpflux-bench"), "heal", what, "v0", str(rounds)],
            )
        ],
    )
