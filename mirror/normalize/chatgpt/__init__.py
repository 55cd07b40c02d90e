"""ChatGPT payloads become rows: pure functions that never raise on any JSON value.

``conversation`` is the entry. A payload is taken apart into ``nodes``; each node's message (``message``) is read by its
content type (``content``), part by part (``parts``), with what tools left in it (``tools``); ``readable_text`` is the
general rule for every shape that none of these know. ``citation_marks``, ``citations`` and ``links`` turn the service's
citation marks into Markdown links.
"""
