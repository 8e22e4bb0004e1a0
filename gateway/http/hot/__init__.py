"""Plain predict requests without aiohttp, on connections that aiohttp can take over at any time.

``head`` decides which requests are plain, ``connection`` moves bytes, ``request`` brings one
to the batcher and its answer back, ``answers`` writes it, ``server`` owns the connections. Front
processes use all but ``request``: import from the modules, and only what is needed.
"""
