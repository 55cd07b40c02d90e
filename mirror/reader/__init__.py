"""What an import makes of an archive before anything is asked of the database: conversations read into rows and packed.

``readings_of`` yields them, from a second process where that is worth it, so that one processor reads while the other
one writes; ``readings`` reads them here, and ``read_after_all`` a single one.
"""

from mirror.reader.reading import Reading, read_after_all, readings
from mirror.reader.second_process import readings_of

__all__ = ["Reading", "read_after_all", "readings", "readings_of"]
