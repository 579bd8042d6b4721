#!/usr/bin/env python3
"""Who answers for each address, by interface; ends with 1 if several do for one, 6 if that cannot be told.

flux.py [NETNS]
"""

import sys

import arpflux

host = arpflux.Host.netns(sys.argv[1]) if len(sys.argv) > 1 else arpflux.Host.current()
matrix = host.snapshot().matrix()
print(matrix)
sys.exit({True: 1, False: 0, None: 6}[matrix.has_flux])
