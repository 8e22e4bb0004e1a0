"""Plain predict requests without aiohttp, on connections that aiohttp can take over at any time.

``head`` decides which requests are plain, ``connection`` moves bytes, ``request`` brings one
to the batcher and its answer back, ``answers`` writes it, ``server`` owns the connections.
"""

from gateway.http.hot.answers import AnswerWriter
from gateway.http.hot.hold import Hold
from gateway.http.hot.request import RequestContext
from gateway.http.hot.server import HotServer

__all__ = ["AnswerWriter", "Hold", "HotServer", "RequestContext"]
