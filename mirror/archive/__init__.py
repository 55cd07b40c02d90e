"""The official export, and answers of the service saved by other tools, as a stream of payloads.

``open_archive`` takes one path. Memory is bounded by the largest conversation, not by the export.
"""

from mirror.archive.archive import Archive, open_archive
from mirror.archive.items import Found, Limits, Problem, Skipped

__all__ = ["Archive", "Found", "Limits", "Problem", "Skipped", "open_archive"]
