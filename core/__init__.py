"""The training core: small multi-layer perceptrons, from a table to a model that predicts.

A network is plain data; all its parameters are one flat vector. Training is compiled, reads and
writes nothing but arrays, and stops anywhere to go on later to the very same bytes. The modules
that serve predictions need NumPy alone; only `core.kernels` and what imports it need Numba.
"""
