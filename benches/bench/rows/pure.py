"""The stages that need no kernel."""

from ..build import RELEASE
from ..contender import Contender, Taken, Void
from ..row import Reach, Row

OURS = str(RELEASE / "arpflux-bench")


def rows(_reasons: dict) -> list[Row]:
    """predict, proof, plan."""

    def some(_contender: Contender, _size: int, taken: Taken) -> None:
        if not taken.result:
            raise Void("came to nothing")

    return [
        Row(
            key="predict",
            work="`predict::reply`, one request (ten proxy entries a route)",
            unit="routes",
            sizes=[100, 1_000, 10_000],
            reach=Reach(ns=1_000),
            reach_size=1_000,
            check=some,
            contenders=[Contender("arpflux", "ours", lambda n: [OURS, "predict", str(n), str(10 * n)])],
        ),
        Row(
            key="proof",
            work="Exactly one answer for each address, over all senders and targets, 16 interfaces (ten proxy entries a prefix)",
            unit="prefixes",
            sizes=[10, 100, 1_000],
            reach=Reach(ns=1e9),
            check=some,
            contenders=[Contender("arpflux", "ours", lambda n: [OURS, "proof", str(n), str(10 * n)])],
        ),
        Row(
            key="plan",
            work="A plan: strict, source-routed, ten proxy entries an interface",
            unit="interfaces",
            sizes=[10, 100, 1_000],
            reach=Reach(ns=5e6),
            check=some,
            contenders=[Contender("arpflux", "ours", lambda n: [OURS, "plan", str(n), str(10 * n)])],
        ),
    ]
