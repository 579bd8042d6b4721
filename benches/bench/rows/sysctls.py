"""Three sysctls on many interfaces."""

import tempfile

from ..build import OUT, RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import sh, veths
from ..row import Reach, Row

NAMES = ("arp_ignore", "arp_announce", "rp_filter")
FILE = tempfile.gettempdir() + "/arpflux-bench.sysctl"


def rows(_reasons: dict) -> list[Row]:
    """All of them differ, or none does."""
    return [
        _row("sysctls", "Three sysctls on each interface: read, compared, all written"),
        _row("sysctls-same", "Three sysctls on each interface: read, compared, nothing to write", differ=False),
    ]


def _row(key: str, work: str, differ: bool = True) -> Row:
    def setup(size: int) -> None:
        veths(size)

    def before(_contender: Contender, size: int) -> None:
        sh(f"{OUT}/floor-sysctls v {size} {0 if differ else 1}")
        text = "".join(f"net.ipv4.conf.v{at}.{name}=1\n" for at in range(size) for name in NAMES)
        with open(FILE, "w", encoding="ascii") as file:
            file.write(text)

    def check(contender: Contender, size: int, taken: Taken) -> None:
        wrong = sh(f"cat /proc/sys/net/ipv4/conf/v*/{{{','.join(NAMES)}}} | grep -vc '^1$' || true").strip()
        if wrong != "0":
            raise Void(f"{wrong} values are wrong")
        if contender.tells and taken.result != (3 * size if differ else 0):
            raise Void(f"wrote {taken.result} values")

    # What a host that is full of IPv6 routes pays for the other way.
    netlink = [Contender("netlink alone (C)", "peer", lambda n: [str(OUT / "floor-setlink"), "v", str(n), "1"])]

    return Row(
        key=key,
        work=work,
        unit="interfaces",
        sizes=[10, 100, 1_000],
        reach=Reach(times=1.5),
        setup=setup,
        leaves=(FILE,),
        before=before,
        check=check,
        note="Ours reads by one dump of the interfaces; the floor opens each file.",
        contenders=[
            Contender(
                "arpflux (Rust)", "ours", lambda n: [str(RELEASE / "arpflux-bench"), "sysctls", "v", str(n), "1"]
            ),
            Contender("floor", "floor", lambda n: [str(OUT / "floor-sysctls"), "v", str(n), "1"]),
            *(netlink if differ else []),
            Contender("sysctl -p FILE", "peer", lambda n: ["sysctl", "-q", "-p", FILE], tells=False),
            Contender(
                "sysctl for each value",
                "peer",
                lambda n: ["sh", "-c", f"set -e; while read -r line; do sysctl -q -w $line; done <{FILE}"],
                tells=False,
                largest=100,
                rounds=2,
            ),
        ],
    )
