"""A service's official export, and its answers saved by other tools, as a stream of payloads.

``open_archive`` takes one path. Memory is bounded by the largest conversation, not by the export. What is known of each
service's files is one entry in ``RECOGNISERS``.
"""

from mirror.archive.archive import Archive, open_archive
from mirror.archive.export_assets import ExportAsset, ExportAssets, open_assets
from mirror.archive.items import Found, Known, Limits, Problem, Skipped
from mirror.archive.recogniser import ExportFiles, Recogniser
from mirror.archive.shapes import RECOGNISERS
from mirror.archive.stored_texts import StoredText, StoredTexts

__all__ = [
    "RECOGNISERS",
    "Archive",
    "ExportAsset",
    "ExportAssets",
    "ExportFiles",
    "Found",
    "Known",
    "Limits",
    "Problem",
    "Recogniser",
    "Skipped",
    "StoredText",
    "StoredTexts",
    "open_archive",
    "open_assets",
]
