"""docs/limits.md against the constants of the program."""

from __future__ import annotations

import ast
import importlib
import operator
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import pytest
from doc_tables import ROOT, codes, page, rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

# Constants that nobody chose: they follow from a format, a protocol or another constant.
TECHNICAL = {
    "archive.encoding._LONGEST_MARK": "bytes of the longest byte order mark",
    "archive.items.MB": "a unit",
    "archive.zips._ENCRYPTED": "a bit of the ZIP format",
    "archive.zips._ZIP64": "a number of the ZIP format",
    "browse.front_page._FOUND": "an HTTP status",
    "browse.cjk_search._FOUND": "HTTP's status of a redirect",
    "browse.files._HEAD": "more bytes than any mark of a format is away from the beginning",
    "browse.files._PIECE": "the size of a buffer",
    "browse.mathml._PARTS": "the form of MathML",
    "browse.safe_html._LAST_LEVEL": "a level of headings of HTML",
    "browse.safe_html._SPEAKER_LEVEL": "a level of headings of our pages",
    "browse.plots.BELOW": "the drawing of a plot",
    "browse.plots.HEIGHT": "the drawing of a plot",
    "browse.plots.LEFT": "the drawing of a plot",
    "browse.plots.WIDTH": "the drawing of a plot",
    "chatgpt.by_id._DAY": "a unit",
    "chatgpt.controls.NO_ENDPOINT": "HTTP's statuses",
    "chatgpt.session._FORBIDDEN": "HTTP's status",
    "chatgpt.session._UNAUTHORISED": "HTTP's status",
    "chatgpt.long_pauses._DAY": "a unit",
    "chatgpt.periodic_tasks._DAY": "a unit",
    "chatgpt.periodic_tasks._WEEK": "a unit",
    "chatgpt.projects._DAY": "a unit",
    "chatgpt.refusals._DAY": "a unit",
    "chatgpt.projects._REFUSED_PARAMETER": "HTTP's statuses",
    "chatgpt.projects._SERVER_ERROR": "HTTP's status",
    "chatgpt.single._PERHAPS_REFUSED_PARAMETER": "HTTP's statuses",
    "chatgpt.single._REFUSED_PARAMETER": "HTTP's statuses",
    "chatgpt.work._REFUSED_PARAMETER": "HTTP's statuses",
    "cli.commands.sync._POWERS": "units",
    "cli.progress._MEGABYTE": "a unit",
    "cli.commands.demo.SEED": "makes the same story every time",
    "credentials.pasted._COLUMNS": "the form of cookies.txt",
    "errors.BUG": "an exit code, in docs/troubleshooting.md",
    "errors.INTERRUPTED": "an exit code, in docs/troubleshooting.md",
    "errors.TERMINATED": "an exit code, in docs/troubleshooting.md",
    "export.folder._FORM": "a version number",
    "export.folder._PIECE": "the size of a buffer",
    "files.byte_store._CHUNK": "the size of a buffer",
    "health.stored_bytes._PIECE": "the size of a buffer",
    "importing_files._PIECE": "the size of a buffer",
    "files.plan._HOUR": "a unit",
    "health.freshness._DAY": "a unit",
    "health.login_expiry._DAY": "a unit",
    "normalize.chatgpt.citation_marks._NAME_FIELD": "a place in the service's JSON",
    "normalize.chatgpt.conversation._BUSY": "states of the service",
    "normalize.chatgpt.conversation.VERSION": "a version number",
    "render._KILO": "a unit",
    "store.derived_hashes._MARSHAL_VERSION": "a version number of Python's format",
    "store.derived_hashes._MODULUS": "the size of a hash",
    "store.search.beginnings._LONGEST_STEMMED": "a number of FTS5's",
    "store.search.cjk.VERSION": "a version number",
    "store.search.cjk._SEARCHED_SINCE": "a version number",
    "store.search.fallback._ROUNDING": "the error of a sum of floats",
    "store.search.facets._VALUES_AT_ONCE": "below SQLite's limit of values in one statement",
    "store.search.selection._EVERYTHING": "more than a mirror can hold",
    "store.tracking._IDS_A_QUERY": "below SQLite's limit of values in one statement",
    "store.file_rows.FileCounts.bytes": "a count that begins at nothing",
    "store.file_rows.FileCounts.gone": "a count that begins at nothing",
    "store.file_rows.FileCounts.pending": "a count that begins at nothing",
    "store.file_rows.FileCounts.refused": "a count that begins at nothing",
    "store.file_rows.FileCounts.skipped": "a count that begins at nothing",
    "store.file_rows.FileCounts.stored": "a count that begins at nothing",
    "sync.plan._HOUR": "a unit",
    "web.allocator._MMAP_THRESHOLD": "a parameter of glibc's mallopt",
    "web.downloads._PIECE": "the size of a buffer",
    "web.downloads._REDIRECTS": "HTTP's statuses",
    "values._INT64": "the range of SQLite's integers",
    "web.client.OK": "HTTP's status of an answer",
    "web.unpacking._DEFLATE_METHOD": "a number of zlib's header",
    "web.unpacking._PIECE": "bytes that are unpacked at once",
    "web.unpacking._WINDOW": "numbers by which zlib knows the formats",
    "large_json.MB": "a unit",
    "large_json._DENSEST": "follows from TOKEN_BYTES",
    "unparsed_object._SHIFT": "bits of a number that holds two",
    "browse.host_names._MISDIRECTED": "HTTP's status of a request that came to the wrong place",
}
_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Div: operator.truediv,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.Sub: operator.sub,
}


def value_of(code: str) -> Any:
    """Return what a number, a product of numbers, a tuple or a dict of numbers amounts to."""
    return _evaluated(ast.parse(code, mode="eval").body)


def _evaluated(node: ast.expr) -> Any:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {ast.literal_eval(key): _evaluated(value) for key, value in pairs if key is not None}
    return ast.literal_eval(node)


def is_number(value: object) -> bool:
    """Whether it is a number, or a container of numbers."""
    if isinstance(value, dict):
        return bool(value) and all(map(is_number, value.values()))
    if isinstance(value, tuple | frozenset | set | list):
        return bool(value) and all(map(is_number, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


def written() -> dict[str, Any]:
    """Return constant -> value as the page has it."""
    return {codes(cells[0])[0]: value_of(codes(cells[1])[0]) for cells in rows(page("limits.md"))}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the modules of the program but for the simulator, named without ``mirror.``."""
    folder = ROOT / "mirror"
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] not in {"simulator", "__main__"}:
            yield ".".join(part for part in parts if part != "__init__"), path


def constants_in(body: list[ast.stmt]) -> Iterator[str]:
    """Yield each name in capitals whose assignment holds a number."""
    for statement in body:
        if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
            continue
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if not any(isinstance(node, ast.Constant) and is_number(node.value) for node in ast.walk(statement.value)):
            continue
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name) and name.id.strip("_").isupper():
                    yield name.id


def policies_in(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Yield the fields of each value that is nothing but numbers with defaults: a set of limits."""
    for name, kind in vars(module).items():
        if not (isinstance(kind, type) and kind.__module__ == module.__name__):
            continue
        held = defaults_of(kind)
        if held and all(map(is_number, held.values())):
            yield from ((f"{name}.{field}", default) for field, default in held.items())


def defaults_of(kind: Any) -> dict[str, Any]:
    """Return the default of each field of a named tuple or frozen dataclass; what has none is no number."""
    if issubclass(kind, tuple):
        return {name: kind._field_defaults.get(name) for name in getattr(kind, "_fields", ())}
    if is_dataclass(kind) and getattr(kind, "__dataclass_params__").frozen:  # noqa: B009 - no typed name for it
        return {field.name: field.default for field in fields(kind)}
    return {}


def real() -> dict[str, Any]:
    """Return every constant of the program that is a number or a container of numbers."""
    found: dict[str, Any] = {}
    for name, path in modules():
        module = importlib.import_module(f"mirror.{name}" if name else "mirror")
        constants = constants_in(ast.parse(path.read_text("utf-8")).body)
        held = {key: getattr(module, key) for key in constants} | dict(policies_in(module))
        found |= {f"{name}.{key}": value for key, value in held.items() if is_number(value)}
    return found


def test_every_limit_is_as_written() -> None:
    """A number that is changed in the code and not on the page, or only there, is named."""
    found = real()
    wrong = {name: found.get(name) for name, value in written().items() if found.get(name) != value}
    assert not wrong, f"as it is in the code: {wrong}"


def test_every_constant_is_on_the_page() -> None:
    """A new number stands on the page with its reason, or is listed above as one that nobody chose."""
    found = real()
    lacking = {name: found[name] for name in sorted(set(found) - set(written()) - set(TECHNICAL))}
    assert not lacking, f"not in docs/limits.md: {lacking}"


def test_the_list_of_technical_constants_is_no_longer_than_needed() -> None:
    """What is gone or explained on the page is not excused here as well."""
    assert sorted(set(TECHNICAL) - set(real())) == []
    assert sorted(set(TECHNICAL) & set(written())) == []


@pytest.mark.parametrize("cells", list(rows(page("limits.md"))), ids=lambda cells: cells[0])
def test_every_limit_says_why(cells: list[str]) -> None:
    """A row without evidence and without a consequence says nothing."""
    assert len(cells) == 4
    assert cells[2]
    assert cells[3]
