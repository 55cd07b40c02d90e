"""Small conversations, and the files and ZIPs that tests put them into."""

import json
import zipfile

from mirror.archive import Found, Limits, Problem, Skipped, open_archive


def conversation(n, text="hello", **other):
    """One conversation as a 2023-26 export writes it, both ids included."""
    node = {"id": "m", "author": {"role": "user"}, "content": {"content_type": "text", "parts": [text]}}
    return {
        "title": f"Title {n}",
        "create_time": 1700000000.25,
        "update_time": 1700000001.5,
        "mapping": {"m": {"id": "m", "parent": None, "children": [], "message": node}},
        "current_node": "m",
        "conversation_id": f"id-{n}",
        "id": f"id-{n}",
        **other,
    }


def single(n):
    """The singular answer of the service: no ``id``."""
    return {key: value for key, value in conversation(n).items() if key != "id"}


def batched(n):
    """An element of the batch answer: no ``conversation_id``, ISO times."""
    whole = conversation(n, create_time="2026-01-01T00:00:00.000000Z", update_time="2026-01-02T00:00:00Z")
    return {key: value for key, value in whole.items() if key != "conversation_id"}


def plural(n):
    """The plural answer: a flat list of messages."""
    message = {"id": "m", "author": {"role": "user"}, "content": {"content_type": "text", "parts": ["x"]}}
    return {"conversation_id": f"id-{n}", "title": "P", "messages": [message], "page_info": {}}


class Read:
    """All that an archive tells, by kind."""

    def __init__(self, path, **limits):
        with open_archive(path, Limits(**limits)) as archive:
            everything = list(archive)
            self.position, self.total = archive.position, archive.total_bytes
        self.found = [item for item in everything if isinstance(item, Found)]
        self.problems = [item for item in everything if isinstance(item, Problem)]
        self.skipped = [item for item in everything if isinstance(item, Skipped)]
        for item in self.found:
            assert same(json.loads(item.raw.decode("utf-8", "surrogateescape")), item.payload)

    @property
    def titles(self):
        return [item.payload.get("title") for item in self.found]

    @property
    def sources(self):
        return [item.source for item in self.found]


def same(one, other):
    """Equality for which NaN equals NaN."""
    return repr(one) == repr(other)


def save(path, value):
    """Write JSON, or bytes as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
    return path


def zipped(path, members, compression=zipfile.ZIP_DEFLATED):
    """Write a ZIP of (name or ZipInfo, value) pairs or a dict of them."""
    with zipfile.ZipFile(path, "w", compression) as opened:
        for name, value in members.items() if isinstance(members, dict) else members:
            opened.writestr(name, value if isinstance(value, bytes) else json.dumps(value).encode())
    return path
