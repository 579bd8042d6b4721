#!/usr/bin/env python3
"""What a capture shows, from a file or standard input: `tcpdump -w - arp | capture.py`.

capture.py [FILE]
"""

import sys

import arpflux

with arpflux.capture(sys.argv[1] if len(sys.argv) > 1 else sys.stdin.buffer) as capture:
    for _ in capture:
        pass
    report = capture.report()
for address in report.addresses:
    macs = ", ".join(f"{one.mac} ({one.replies} replies)" for one in address.macs)
    print(f"{address.address}: {address.verdict}: {macs}")
print(*(one.text for one in report.undetermined), sep="\n", end="")
sys.exit({True: 0, False: 1, None: 6}[report.ok])
