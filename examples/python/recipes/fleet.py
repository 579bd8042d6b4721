#!/usr/bin/env python3
"""Which addresses several hosts answer for, by the snapshots in a folder (HOST.json); names the files that cannot be read.

fleet.py FOLDER
"""

import pathlib
import sys

import arpflux

snapshots, unread = {}, []
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.json")):
    try:
        snapshots[path.stem] = arpflux.Snapshot.load(path)
    except (arpflux.InvalidData, OSError) as error:
        unread.append(str(error))
shared = arpflux.segments(snapshots)
for answer in (answer for segment in shared for answer in segment.answers if answer.is_bad):
    print(answer)
print(f"looked at {len(snapshots)} hosts", *unread, *shared.missing, sep="\n")
sys.exit(0 if shared and not unread else 6 if shared.ok is not False else 1)
