"""How one run differs from the ordinary one."""

from __future__ import annotations

from typing import NamedTuple


class SyncOptions(NamedTuple):
    """How a run differs from the ordinary one.

    ``full``: read every list to its end. ``dry``: list and compare only. ``accept_deletions``: the person confirms that
    what the lists lack was deleted; what is alive stays. ``verify``: read a batch of unchanged conversations once more.
    ``files``: fetch the files that conversations name, too; ``files_max_size``: none larger than so many bytes.
    """

    full: bool = False
    dry: bool = False
    accept_deletions: bool = False
    verify: bool = True
    files: bool = True
    files_max_size: int | None = None
