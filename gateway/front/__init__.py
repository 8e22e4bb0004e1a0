"""A front process: takes connections, reads requests and writes answers, and runs no model.

Plain predict requests go to the engine as flat values, many in a frame (``link``); everything else
is passed on as bytes to the engine's own HTTP server (``relay``). No framework is imported here.
"""
