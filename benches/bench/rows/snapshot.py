"""A complete snapshot."""

from ..build import BENCHES, OUT, RELEASE, VENV
from ..contender import Contender, Taken, Void
from ..namespace import sh, veths
from ..row import Reach, Row

FLOOR = str(OUT / "floor-snapshot")


def rows(reasons: dict) -> list[Row]:
    """From Rust, and from Python."""
    python = str(VENV / "bin" / "python")
    floor = Contender("floor", "floor", lambda n: [FLOOR])
    pyroute2 = Contender(
        "pyroute2",
        "peer",
        lambda n: [python, str(BENCHES / "python/pyroute2_peer.py"), "snapshot"],
        needs=reasons.get("python"),
    )
    ip_json = "set -e; for what in 'link' 'address' 'route show table all' 'rule' 'neigh' 'neigh show proxy'; do ip -j $what; done"
    common = {"unit": "interfaces", "sizes": [10, 100, 1_000], "setup": _setup, "check": _check}
    return [
        Row(
            key="snapshot",
            work="A complete typed snapshot, with ten proxy entries an interface",
            reach=Reach(times=2.0),
            **common,
            contenders=[
                Contender("arpflux (Rust)", "ours", lambda n: [str(RELEASE / "arpflux-bench"), "snapshot"]),
                floor,
                Contender("arpflux (C)", "ours", lambda n: [str(OUT / "c-snapshot")]),
                Contender(
                    "rtnetlink crate",
                    "peer",
                    lambda n: [str(OUT / "rtnetlink/release/arpflux-bench-rtnetlink"), "snapshot"],
                    needs=reasons.get("rtnetlink"),
                ),
                Contender("ip -j, six times", "peer", lambda n: ["sh", "-c", ip_json], tells=False),
                Contender(
                    "sysctl -a | grep", "peer", lambda n: ["sh", "-c", "sysctl -a 2>/dev/null | grep -c arp_"], tells=False
                ),
                pyroute2,
            ],
        ),
        Row(
            key="snapshot-python",
            work="The same from Python",
            reach=Reach(times=2.5),
            **common,
            contenders=[
                Contender(
                    "arpflux (Python)",
                    "ours",
                    lambda n: [python, str(BENCHES / "python/ours.py"), "snapshot"],
                    needs=reasons.get("python"),
                ),
                floor,
                pyroute2,
            ],
        ),
    ]


def _setup(size: int) -> None:
    veths(size)
    sh(f"{OUT}/floor-proxies add v0 {size * 10}")


def _check(contender: Contender, size: int, taken: Taken) -> None:
    # `lo` as well; tools whose output is not read are checked by their exit status.
    if contender.tells and taken.result != size + 1 + size * 10:
        raise Void(f"found {taken.result} things, not {size + 1 + size * 10}")
