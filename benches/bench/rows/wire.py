"""Frames: many addresses asked for, and frames listened to as they come."""

import tempfile

from .. import build
from ..build import OUT, RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import peer, sh
from ..row import Reach, Row

OURS = str(RELEASE / "arpflux-bench")
TARGETS = tempfile.gettempdir() + "/arpflux-bench-targets"


def rows(_reasons: dict) -> list[Row]:
    """probe, and live capture."""
    return [_probe(), _live()]


def _probe() -> Row:
    def setup(size: int) -> None:
        sh("ip link add v0 address 02:00:00:00:00:01 type veth peer name v1")
        sh("ip address add 10.8.0.2/8 dev v0")
        sh("ip link set v0 up")
        # The peer holds every address that is asked for.
        peer("v1", ["ip link set v1 up", "ip link set lo up", "ip address add 10.8.0.1/8 dev v1",
                    "ip route add local 10.9.0.0/16 dev lo"])
        with open(TARGETS, "w", encoding="ascii") as file:
            file.writelines(f"10.9.{at >> 8}.{at & 255}\n" for at in range(size))

    def check(contender: Contender, size: int, taken: Taken) -> None:
        if contender.tells and taken.result != size:
            raise Void(f"{taken.result} of {size} answered")

    def counted(command: str, pattern: str, size: int) -> list[str]:
        return ["sh", "-c", f"n=$({command} | grep -c '{pattern}'); test $n -eq {size}"]

    return Row(
        key="probe",
        work="Who has so many addresses, all of which answer",
        leaves=(TARGETS,),
        unit="addresses",
        sizes=[650, 6_500, 65_000],
        reach=Reach(times=2.0),
        setup=setup,
        check=check,
        rounds=5,
        note="Half the floor's rate is twice its CPU time. Ours waits for delayed proxies as well and counts MACs. "
        "arping has no row: it asks for one address a second.",
        contenders=[
            Contender("arpflux probe", "ours", lambda n: [OURS, "probe", "v0", "10.9.0.0", str(n)]),
            Contender("floor", "floor", lambda n: [str(OUT / "floor-probe_loop"), "v0", "10.8.0.2", "10.9.0.0", str(n)]),
            Contender(
                "arp-scan",
                "peer",
                lambda n: counted(f"arp-scan -q -x -I v0 -i 30u -r 1 -t 200 -f {TARGETS}", "^10", n),
                tells=False,
                needs=build.tool("arp-scan"),
                rounds=2,
            ),
        ],
    )


def _live() -> Row:
    hosts = 1_000

    def setup(_size: int) -> None:
        sh("ip link add v0 type veth peer name v1")
        sh("ip link set v0 up")
        sh("ip link set v1 up")

    def beside(receiver: str, size: int) -> list[str]:
        # The receiver first, then the frames; what it prints is the figure.
        send = f"{OUT}/floor-capture_ring send v1 {size} {hosts}"
        return ["sh", "-c", f"{receiver} v0 {size} & sleep 0.3; {send} >/dev/null; wait $!"]

    def check(_contender: Contender, size: int, taken: Taken) -> None:
        if taken.result != size:
            raise Void(f"took {taken.result} of {size} frames")

    return Row(
        key="live",
        work=f"Frames listened to, into the table of {hosts:,} hosts",
        unit="frames",
        sizes=[6_400, 64_000, 640_000],
        reach=Reach(times=3.0),
        setup=setup,
        check=check,
        rounds=5,
        note="The floor counts; ours fills the table.",
        contenders=[
            Contender("arpflux capture", "ours", lambda n: beside(f"{OURS} live", n)),
            Contender("floor", "floor", lambda n: beside(str(OUT / "floor-capture_ring"), n)),
        ],
    )
