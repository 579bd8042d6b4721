"""Very large hosts, and how much memory and disk is used."""

from ..build import OUT, RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import ip_batch, sh, veths
from ..row import Reach, Row

OURS = str(RELEASE / "arpflux-bench")


# What is done, and what it comes to for so many interfaces, if that is known.
STAGES = {
    "index": ("the model's index of it", lambda n: 25 * n),
    "plan": ("a plan that moves every proxy entry and sets every interface", lambda n: 52 * n + 2),
    "after": ("the host as that plan leaves it", lambda n: 25 * n),
    "diagnose": ("all findings", None),
    "recommend": ("a policy that fits, proved (25 containers for each of so many, on four interfaces of one subnet)", None),
    "proof": ("one answer for each of 25 proxied addresses for each of so many, on 16 interfaces", lambda n: 25 * n + 16),
    "plan-one-subnet": ("a plan for so many interfaces in one subnet", lambda n: 4 * n + 1),
}


def rows(_reasons: dict) -> list[Row]:
    """A snapshot of very much, and what is made of it."""
    return [_snapshot(), *(_stage(what, work, result) for what, (work, result) in STAGES.items())]


def _stage(what: str, work: str, result) -> Row:
    def check(_contender: Contender, size: int, taken: Taken) -> None:
        if not taken.result or (result and taken.result != result(size)):
            raise Void(f"came to {taken.result}")

    return Row(
        key=f"scale-{what}",
        work=f"Very much: {work}",
        unit="interfaces",
        sizes=[40, 400, 4_000],
        reach=Reach(power=1.5),
        check=check,
        rounds=3,
        note="The figure to reach is the growth.",
        contenders=[Contender("arpflux", "ours", lambda n: [OURS, "scale", what, str(n)])],
    )


def _snapshot() -> Row:
    """Of a namespace."""

    def setup(size: int) -> None:
        veths(size)
        sh(f"{OUT}/floor-proxies add v0 {size * 25}")
        lines = [f"route add blackhole 172.{16 + (at >> 16)}.{at >> 8 & 255}.{at & 255}/32" for at in range(size * 25)]
        lines += [f"rule add pref {1000 + at} from 198.18.{at >> 8}.{at & 255} table {1000 + at}" for at in range(size * 5 // 2)]
        ip_batch(lines)

    def check(_contender: Contender, size: int, taken: Taken) -> None:
        if taken.result != size + 1 + size * 25:
            raise Void(f"found {taken.result} things")

    return Row(
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
    )
