"""One file a command, named like it: parse, call one thing, print.

A new command is a new file here and a name in ``mirror.cli.group``. Heavy imports stand inside the function, so that
``--help`` is fast.
"""
