"""The Open Inference Protocol over HTTP, under ``/v2``."""

from gateway.http.oip.door import OipDoor
from gateway.http.oip.paths import is_oip_path

__all__ = ["OipDoor", "is_oip_path"]
