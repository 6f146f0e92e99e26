"""Routes in the shape of other services, so that their clients and platforms work unchanged.

Each file is one thin translation to the same models; errors are said in the other's words.
"""
