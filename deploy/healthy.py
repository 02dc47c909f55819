"""Whether the service in this container is ready: exit status 0 or 1. It asks by an address, which is always ours."""

from __future__ import annotations

import http.client
import os
import sys


def is_ready(port: int) -> bool:
    """What /readyz says."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=4)
    try:
        link.request("GET", "/readyz")
        return link.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        link.close()


if __name__ == "__main__":
    sys.exit(not is_ready(int(os.environ.get("PORT", "5000"))))
