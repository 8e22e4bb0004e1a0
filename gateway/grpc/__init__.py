"""The gRPC front: one ``grpc.aio`` server in the gateway's event loop, with services of several
protocols."""

import os

# gRPC's own lines on standard error, one for each stranger who does not speak TLS. Read at import.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
