#!/bin/bash
# arpflux: runs in place of the script of the same name in @SCRIPTS@, and runs that one
# with some functions locked. `arpflux vz setup --way locked` wrote it, `arpflux vz uninstall` removes it.
ARPFLUX_LOCK=yes
. @HOOK@
. @SCRIPTS@/@NAME@
