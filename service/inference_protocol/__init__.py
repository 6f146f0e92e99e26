"""The Open Inference Protocol, version 2, for the clients of Triton, KServe and MLServer.

https://github.com/kserve/open-inference-protocol, with Triton's binary tensors, classification,
repository and statistics extensions.
"""
