"""A capture file read into the table of addresses."""

import tempfile

from .. import build
from ..build import OUT, RELEASE
from ..contender import Contender, Taken, Void
from ..namespace import sh
from ..row import Reach, Row

FILE = tempfile.gettempdir() + "/arpflux-bench.pcap"


def rows(_reasons: dict) -> list[Row]:
    """pcap, little-endian, microseconds."""
    hosts = 1_000

    def setup(size: int) -> None:
        sh(f"{OUT}/floor-capture_walk make {FILE} {size} {hosts}")
        # Read once, so that the disk is in nobody's figure.
        sh(f"cat {FILE} >/dev/null")

    def check(contender: Contender, size: int, taken: Taken) -> None:
        read = taken.result if taken.frames is None else taken.frames
        if contender.tells and read != size:
            raise Void(f"read {read} of {size} frames")

    def counted(command: str) -> list[str]:
        return ["sh", "-c", f"set -e; n=$({command} 2>/dev/null | wc -l); test $n -eq $(cat {FILE}.frames)"]

    def setup_counted(size: int) -> None:
        setup(size)
        with open(FILE + ".frames", "w", encoding="ascii") as file:
            file.write(str(size))

    sizes = [50_000, 500_000, 5_000_000]
    return [
        Row(
            key="capture",
            work=f"A pcap file of ARP frames of {hosts:,} hosts read into the table",
            unit="frames",
            sizes=sizes,
            reach=Reach(times=1.5),
            note="The floor maps the file; `floor, read(2)` is the same without a mapping.",
            setup=setup_counted,
            leaves=(FILE, FILE + ".frames"),
            check=check,
            rounds=5,
            contenders=[
                Contender("arpflux capture", "ours", lambda n: [str(RELEASE / "arpflux-bench"), "capture", FILE]),
                Contender("floor", "floor", lambda n: [str(OUT / "floor-capture_walk"), FILE]),
                Contender("floor, read(2)", "peer", lambda n: [str(OUT / "floor-capture_walk"), "read", FILE]),
                Contender(
                    "tcpdump, copying",
                    "peer",
                    lambda n: ["tcpdump", "-n", "-r", FILE, "-w", "-"],
                    tells=False,
                    needs=build.tool("tcpdump"),
                ),
                Contender(
                    "tcpdump, printing",
                    "peer",
                    lambda n: counted(f"tcpdump -e -n -r {FILE}"),
                    tells=False,
                    needs=build.tool("tcpdump"),
                    rounds=2,
                ),
                Contender(
                    "tshark, two fields",
                    "peer",
                    lambda n: counted(f"tshark -n -r {FILE} -T fields -e arp.src.proto_ipv4 -e arp.src.hw_mac"),
                    tells=False,
                    needs=build.tool("tshark"),
                    largest=500_000,
                    rounds=1,
                ),
            ],
        ),
    ]
