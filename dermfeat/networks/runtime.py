"""OpenVINO, imported without its telemetry: a library for medical images sends nothing anywhere unasked."""

import sys

from dermfeat._optional import require

_TELEMETRY = "openvino_telemetry"


def block_telemetry():
    """Let the import of OpenVINO find no telemetry package; return what was there before."""
    before = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None
    return before


def load_openvino():
    """Return the module openvino; where this process has not imported it yet, its telemetry stays out."""
    if "openvino" in sys.modules:
        return require("openvino")
    before = block_telemetry()
    try:
        return require("openvino")
    finally:
        del sys.modules[_TELEMETRY]
        if before is not None:
            sys.modules[_TELEMETRY] = before
