"""`ov`, the openvino package, imported without its model converter.

The converter brings openvino-telemetry with it and takes half of the import time; nothing here
converts models. OpenVINO itself treats it as optional, so it is hidden while openvino is imported.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import openvino as ov
else:
    CONVERTER = "openvino.tools.ovc"
    hidden = CONVERTER not in sys.modules
    if hidden:
        sys.modules[CONVERTER] = None
    try:
        ov = importlib.import_module("openvino")
    finally:
        if hidden:
            del sys.modules[CONVERTER]

__all__ = ["ov"]
