"""What a power cut can leave: every state of a folder that what the program wrote and synced allows.

strace records what the real command does to its folder, with the bytes. A cut after any of it leaves for certain what
was synced: of a file its bytes, of a folder the names in it. Of the writes since then it leaves none, all, the first
few, any of them, or one torn at a sector's edge; of the names that were made, renamed and removed since then none, all,
the first few, or any, each the old or the new one. A file whose name is there may lack its bytes.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Mapping

SECTOR = 512  # bytes that a disk writes whole
RECORDED = "pwrite64,write,fdatasync,fsync,ftruncate,openat"
# Not every machine has those with a question mark.
RECORDED += ",?mkdir,mkdirat,?rename,renameat,renameat2,?link,linkat,?unlink,unlinkat"
_CALL = re.compile(r"^(?P<pid>\d+) +(?P<text>.*)$")
_WRITE = re.compile(r'^p?write(?:64)?\(\d+<(?P<path>[^>]*)>, "(?P<data>[^"]*)"(?:\.\.\.)?, \d+(?:, (?P<offset>\d+))?\)')
_SYNC = re.compile(r"^f(?:data)?sync\(\d+<(?P<path>[^>]*)>\) += 0")
_TRUNCATE = re.compile(r"^ftruncate\(\d+<(?P<path>[^>]*)>, (?P<size>\d+)\) += 0")
_OPEN = re.compile(r"^openat\(.*, (?P<flags>O_[A-Z_|]*)(?:, \d+)?\) += \d+<(?P<path>[^>]*)>")
_AT = r"(?:AT_FDCWD(?:<[^>]*>)?, )?"
_NAMES = re.compile(
    rf'^(?P<call>mkdir|rename|link|unlink)(?:at2?)?\({_AT}"(?P<path>[^"]*)"'
    rf'(?:, {_AT}"(?P<other>[^"]*)")?(?:, [^)]*)?\) += 0'
)

Kind = Literal["write", "truncate", "sync", "create", "folder", "rename", "link", "remove", "report"]
_KINDS: dict[str, Kind] = {"mkdir": "folder", "rename": "rename", "link": "link", "unlink": "remove"}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that the command did. ``at``: offset of a write (None: at the end), or size of a truncation, bytes.

    ``other``: the new name of what is renamed or linked.
    """

    kind: Kind
    path: str
    at: int | None = None
    data: bytes = b""
    other: str = ""


def recording(log: Path) -> list[str]:
    """Return what a command is run under, so that ``steps_of`` can tell what it did."""
    return [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-xx",
        "-s",
        "100000000",
        "-e",
        f"trace={RECORDED}",
        "-o",
        str(log),
    ]


def steps_of(log: Path, folder: Path, report: Path) -> list[Step]:
    """Return what was done in a folder, in order; ``report``: the file that the command's own lines went to.

    What SQLite shares between programs (``-shm``) means nothing after a cut, and is left out.
    """
    found = []
    for line in _whole_lines(log):
        for step in _steps(line, folder):
            if step.path == str(report):
                found.append(replace(step, kind="report"))
            elif step.path.startswith(str(folder)) and not step.path.endswith("-shm"):
                found.append(step)
    return found


def _whole_lines(log: Path) -> Iterator[str]:
    """Yield calls; one that another thread's interrupted stands in two parts."""
    begun: dict[str, str] = {}
    for line in log.read_text(encoding="ascii", errors="replace").splitlines():
        match = _CALL.match(line)
        if match is None:
            continue
        pid, text = match["pid"], match["text"]
        if text.endswith("<unfinished ...>"):
            begun[pid] = text.removesuffix("<unfinished ...>")
            continue
        yield begun.pop(pid, "") + text.partition(" resumed>")[2] if text.startswith("<... ") else text


def _steps(line: str, folder: Path) -> Iterator[Step]:
    if match := _WRITE.match(line):
        offset = match["offset"]
        yield Step("write", _text(match["path"]), None if offset is None else int(offset), _bytes(match["data"]))
    elif match := _SYNC.match(line):
        yield Step("sync", _text(match["path"]))
    elif match := _TRUNCATE.match(line):
        yield Step("truncate", _text(match["path"]), int(match["size"]))
    elif match := _OPEN.match(line):
        if "O_CREAT" in match["flags"]:
            yield Step("create", _text(match["path"]))
        if "O_TRUNC" in match["flags"]:
            yield Step("truncate", _text(match["path"]), 0)
    elif match := _NAMES.match(line):
        path, other = (str(folder / _text(text)) for text in (match["path"], match["other"] or ""))
        yield Step(_KINDS[match["call"]], path, other=other)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _text(path: str) -> str:
    return _bytes(path).decode() if path.startswith("\\x") else path


_FOLDER = 0  # what the names of folders stand for; those of files stand for their numbers


@dataclass(slots=True)
class _Change:
    """Names that come, go, or stand for another file, at once: name -> number, None: it is gone."""

    names: dict[str, int | None]

    def folders(self) -> set[str]:
        return {str(Path(name).parent) for name in self.names}


class Disk:
    """What a disk holds for certain, and what was done and not synced yet, in order. Begins with a folder's content."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, int] = {str(folder): _FOLDER}
        self._durable: dict[int, bytearray] = {}
        for path in sorted(folder.rglob("*")):
            self._names[str(path)] = self._new(path.read_bytes()) if path.is_file() else _FOLDER
        self._sizes = {number: len(data) for number, data in self._durable.items()}
        self._durable_names = dict(self._names)
        self._writes: list[tuple[int, Step]] = []
        self._changes: list[_Change] = []

    def _new(self, data: bytes = b"") -> int:
        number = len(self._durable) + 1
        self._durable[number] = bytearray(data)
        return number

    def take(self, step: Step) -> None:
        """Let a step happen."""
        if step.kind == "sync":
            self._sync(step.path)
        elif step.kind in {"write", "truncate"}:
            self._write(step)
        elif step.kind in {"create", "folder"}:
            if step.path not in self._names:
                self._change({step.path: _FOLDER if step.kind == "folder" else self._new()})
        elif step.kind == "rename":
            self._change({step.path: None, step.other: self._names[step.path]})
        elif step.kind == "link":
            self._change({step.other: self._names[step.path]})
        elif step.kind == "remove":
            self._change({step.path: None})

    def _write(self, step: Step) -> None:
        number = self._names.get(step.path)
        if number is None:  # a file that has no name any more
            return
        size = self._sizes.get(number, 0)
        at = size if step.at is None else step.at
        self._sizes[number] = at if step.kind == "truncate" else max(size, at + len(step.data))
        self._writes.append((number, replace(step, at=at)))

    def _change(self, names: dict[str, int | None]) -> None:
        _rename(self._names, names)
        self._changes.append(_Change(dict(names)))

    def _sync(self, path: str) -> None:
        number = self._names.get(path)
        if number != _FOLDER:
            for of, step in self._writes:
                if of == number:
                    _apply(self._durable[of], step)
            self._writes = [one for one in self._writes if one[0] != number]
            return
        for change in [one for one in self._changes if path in one.folders()]:
            _rename(self._durable_names, change.names)
            for earlier in self._changes[: self._changes.index(change)]:  # in another folder, of what was renamed
                for name in change.names:
                    earlier.names.pop(name, None)
            self._changes.remove(change)

    def after_a_cut(self, how: str, rng: random.Random) -> dict[str, bytes]:
        """Return the files as a power cut leaves them: path -> bytes."""
        files = {number: bytearray(data) for number, data in self._durable.items()}
        for number, step in _surviving(self._writes, how, rng):
            _apply(files[number], _torn(step, rng) if how == "torn" and rng.random() < 0.5 else step)
        names = dict(self._durable_names)
        for change in _surviving(self._changes, how, rng):
            _rename(names, change.names)
        return {
            name: bytes(files[number])
            for name, number in names.items()
            if number != _FOLDER and all(folder in names for folder in self._folders_of(name))
        }

    def _folders_of(self, name: str) -> list[str]:
        """Return the folders in which a file lies, from the one that the disk began with."""
        return [str(one) for one in Path(name).parents if one.is_relative_to(self._folder)]


_One = TypeVar("_One")
CUTS = ("none", "all", "first few", "some", "torn")


def _surviving(pending: list[_One], how: str, rng: random.Random) -> list[_One]:
    if how in {"none", "all"}:
        return pending if how == "all" else []
    if how == "first few":
        return pending[: rng.randint(0, len(pending))]
    return [one for one in pending if rng.random() < 0.5]


def _torn(step: Step, rng: random.Random) -> Step:
    """Return some sectors in a row of a write."""
    sectors = range(0, len(step.data), SECTOR)
    if step.kind != "write" or len(sectors) < 2:
        return step
    start, end = sorted(rng.sample([*sectors, len(step.data)], 2))
    return replace(step, at=(step.at or 0) + start, data=step.data[start:end])


def _apply(content: bytearray, step: Step) -> None:
    at = step.at or 0
    if step.kind == "truncate":
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(step.data)] = step.data


def _rename(names: dict[str, int], changed: Mapping[str, int | None]) -> None:
    for name, number in changed.items():
        if number is None:
            names.pop(name, None)
        else:
            names[name] = number


def write_image(files: Mapping[str, bytes], original: Path, copy: Path) -> None:
    """Put a folder as a cut left it in another place, all of it private."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name, data in files.items():
        path = copy / Path(name).relative_to(original)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o600)
