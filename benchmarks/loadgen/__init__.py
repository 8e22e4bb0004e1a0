"""An HTTP load generator for servers on this machine.

It sends to loopback addresses only, and every run is bounded in time and in requests.
"""
