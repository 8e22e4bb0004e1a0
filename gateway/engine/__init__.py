"""The engine process: runs the models for front processes.

It is the server as it is alone, but that it listens on Unix sockets which only fronts reach: one
for HTTP, and one for requests in frames (``links``). Metrics and status are its own, so they are
those of the whole server.
"""
