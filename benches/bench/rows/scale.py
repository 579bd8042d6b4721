"""Very large hosts, and how much memory and disk is used."""

from ..build import OUT, RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import ip_batch, sh, veths
from ..row import Reach, Row

OURS = str(RELEASE / "arpflux-bench")


def rows(_reasons: dict) -> list[Row]:
    """A snapshot of very much."""

    def setup(size: int) -> None:
        veths(size)
        sh(f"{OUT}/floor-proxies add v0 {size * 25}")
        lines = [f"route add blackhole 172.{16 + (at >> 16)}.{at >> 8 & 255}.{at & 255}/32" for at in range(size * 25)]
        lines += [f"rule add pref {1000 + at} from 198.18.{at >> 8}.{at & 255} table {1000 + at}" for at in range(size * 5 // 2)]
        ip_batch(lines)

    def check(_contender: Contender, size: int, taken: Taken) -> None:
        if taken.result != size + 1 + size * 25:
            raise Void(f"found {taken.result} things")

    return [
        Row(
            key="scale",
            work="A snapshot of very much: 25 proxy entries, 25 routes and 2.5 rules an interface",
            unit="interfaces",
            sizes=[40, 400, 4_000],
            reach=Reach(kib=40 * 1024),
            setup=setup,
            check=check,
            rounds=3,
            note="The figure to reach is the most memory that is resident.",
            contenders=[
                Contender("arpflux (Rust)", "ours", lambda n: [OURS, "snapshot"]),
                Contender("floor", "floor", lambda n: [str(OUT / "floor-snapshot")]),
            ],
        ),
    ]
