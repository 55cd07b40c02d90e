"""``python -m mirror`` is ``chatmirror``."""

from mirror.cli.commands import main

main()
