"""The logger that websockets' protocol objects write to.

At DEBUG they would write whole frames and the Authorization header, and at INFO a line for each connection: neither
must depend on how the application sets its log level.
"""

import logging
from typing import Final

QUIET: Final = logging.getLogger("gateway.transport.websockets")
QUIET.setLevel(logging.WARNING)
