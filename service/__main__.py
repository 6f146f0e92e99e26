"""`python -m service` is the command `sigmoid`."""

from service.cli import main

main()
