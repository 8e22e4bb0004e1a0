"""The HTTP front end: aiohttp's low-level server and a router of our own."""
