"""A version as one HTML page that needs nothing else: to read, print, keep and send on."""
