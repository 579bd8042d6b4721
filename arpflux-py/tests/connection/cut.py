"""A local connection that can be cut: while there is the file that CUT_FILE names."""

import os

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: cut
short_description: A local connection that can be cut
description: A local connection that can be cut.
extends_documentation_fragment: [connection_pipelining]
"""


class Connection(Local):
    transport = "cut"

    def exec_command(self, *arguments, **options):
        if os.path.exists(os.environ["CUT_FILE"]):
            raise AnsibleConnectionFailure("the wire is cut")
        return super().exec_command(*arguments, **options)
