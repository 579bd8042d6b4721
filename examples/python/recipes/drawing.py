#!/usr/bin/env python3
"""What a notebook shows of a host, its findings, and the plan of a policy that fits, as one page.

drawing.py NETNS PAGE.html
"""

import pathlib
import sys

import arpflux

snapshot = arpflux.Host.netns(sys.argv[1]).snapshot()
# In a notebook these are the last lines of cells, and it asks for the drawings itself.
drawn = [
    snapshot._repr_html_(),
    snapshot.matrix()._repr_html_(),
    snapshot.diagnose()._repr_html_(),
    snapshot.recommend().plan._repr_html_(),
]
page = "".join(f"<section>{one}</section>\n" for one in drawn)
pathlib.Path(sys.argv[2]).write_text(page, encoding="utf-8")
