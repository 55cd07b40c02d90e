"""The bytes of files beside the database: where they lie, how they are written, what they are.

``byte_store`` keeps each content once, under its hash. ``content`` tells what bytes are, and whether an answer of the
service only pretends to be a file. ``plan`` decides what follows from an answer. ``text`` gives the text of a file,
``pdf`` and ``pdf_process`` that of a PDF, by a process of its own. No SQL, no HTTP.
"""
