"""Messages of Triton's model configuration and of the Open Inference Protocol's gRPC service.

``scripts/generate-protos`` makes the ``_pb2`` modules from the ``.proto`` files beside them. Their
descriptors live in a pool of their own: full names are the protocol's, and a process may have
Triton's client, with the same names, in the default pool.
"""
