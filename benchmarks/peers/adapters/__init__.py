"""One server per peer around the same SavedModel, as that peer's own documentation builds one.

Each runs in its peer's environment with this repository on the path, and imports nothing of it but
its neighbours here. ``SAVED_MODEL`` names the version folder, ``PORT`` the port on loopback.
"""
