"""How much memory a process has taken."""

import re
import resource
import sys
from pathlib import Path


def peak_bytes():
    """Return the peak of this process in bytes; on Linux ``ru_maxrss`` begins with that of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
