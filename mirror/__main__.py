"""``python -m mirror`` is ``chatmirror``."""

from mirror.cli import main

main()
