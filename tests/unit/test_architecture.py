"""Dependencies point one way (docs/architecture.md), by the sources and by the link graph."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What each C++ layer may include besides itself.
CPP_LAYERS: dict[str, set[str]] = {
    "base": set(),
    "crypto": {"base"},
    "sframe": {"base", "crypto"},
    "privmx": {"base", "crypto"},
    "rtp": {"base"},
    "srtp": {"base", "crypto", "rtp"},
    "jitter": {"base", "rtp"},
    "session": {"base", "crypto", "sframe", "rtp", "srtp", "jitter"},
    "sfu": {"base", "crypto", "rtp", "srtp", "jitter"},
    "net": {"base"},
}
# The two hosts share a folder but not a library: only one of them may reach frame keys.
HOST_FILES: dict[str, set[str]] = {
    "session_host": {"base", "session", "net"},
    "router_host": {"base", "crypto", "rtp", "srtp", "sfu", "net"},
}

# What each Python package may import from sealroom besides itself.
PYTHON_PACKAGES: dict[str, set[str]] = {
    "_file_urls": set(),
    "errors": set(),
    "protocol": set(),
    "identity": {"errors"},
    "privmx": {"_core", "errors"},
    "access": {"errors", "protocol"},
    "crypto": {"_core", "access", "errors", "identity", "protocol"},
    "media": {"_core", "errors", "rtp", "srtp", "sframe"},
    "client": {"_core", "access", "errors", "identity", "protocol", "crypto", "media"},
    "bridge": {"_core", "access", "errors", "identity", "protocol", "media"},
    "recording": {"_file_urls", "errors", "media"},
    "sources": {"_file_urls", "errors"},
}
# The top: they may import everything, and nothing imports them but each other.
PYTHON_PROGRAMS = {"cli", "demo"}

INCLUDE = re.compile(r'^#include "sealroom/(\w+)/', re.MULTILINE)


def cpp_sources(layer: str) -> list[Path]:
    cpp = ROOT / "cpp"
    return sorted(
        path
        for folder in (cpp / "include" / "sealroom" / layer, cpp / "src" / layer)
        for path in folder.rglob("*")
        if path.suffix in {".h", ".cpp"}
    )


@pytest.mark.parametrize("layer", CPP_LAYERS)
def test_a_native_layer_includes_only_the_layers_below_it(layer: str) -> None:
    sources = cpp_sources(layer)
    assert sources
    for path in sources:
        included = set(INCLUDE.findall(path.read_text())) - {layer}
        assert included <= CPP_LAYERS[layer], f"{path.relative_to(ROOT)} includes {included}"


@pytest.mark.parametrize("host", HOST_FILES)
def test_a_host_includes_only_what_it_joins(host: str) -> None:
    sources = [path for path in cpp_sources("host") if path.stem == host]
    assert len(sources) == 2
    for path in sources:
        included = set(INCLUDE.findall(path.read_text())) - {"host"}
        assert included <= HOST_FILES[host], f"{path.relative_to(ROOT)} includes {included}"


def test_every_native_layer_is_named_here() -> None:
    folders = {path.name for path in (ROOT / "cpp" / "src").iterdir() if path.is_dir()}
    assert folders == set(CPP_LAYERS) | {"host"}


def linked_layers(target: str) -> set[str]:
    """All layers that `target` reaches through the DEPENDS of the CMake files."""
    text = "\n".join(path.read_text() for path in (ROOT / "cpp").rglob("CMakeLists.txt"))
    calls = re.findall(
        r"sealroom_add_layer\((\w+)(.*?)\)", re.sub(r"\$\{\w+\}", "", text), re.DOTALL
    )
    direct: dict[str, set[str]] = {}
    for name, body in calls:
        depends = re.search(r"DEPENDS\s+(.*?)(?:LIBRARIES|SOURCES|$)", body, re.DOTALL)
        direct[name] = set(depends.group(1).split()) if depends else set()
    assert target in direct
    reached: set[str] = set()
    waiting = [target]
    while waiting:
        for layer in direct[waiting.pop()] - reached:
            reached.add(layer)
            waiting.append(layer)
    return reached


@pytest.mark.parametrize("target", ["sfu", "host_router"])
def test_the_sfu_does_not_link_frame_encryption(target: str) -> None:
    assert "srtp" in linked_layers(target)
    assert not {"sframe", "session", "host_session"} & linked_layers(target)


def test_the_core_below_the_bindings_knows_no_python() -> None:
    for path in (ROOT / "cpp").rglob("*"):
        if path.suffix in {".h", ".cpp"} and "bindings" not in path.parts:
            assert "pybind11" not in path.read_text(), path
            assert "Python.h" not in path.read_text(), path


# What makes, imports or raises something of Python.
OF_PYTHON = re.compile(
    r"\b(?:raise|unwrap|make_exception|make_bytes|checked_\w+|refuse_\w+|within|number|shown)\s*(?:<[^>]*>)?\("
    r"|\bpy::(?!ssize_t)|\bpybind11::|\bPy[A-Z_]\w*\("
)


def closing(text: str, at: int, pair: str) -> int:
    """Where the bracket that is open at `at` closes."""
    depth = 1
    while depth:
        depth += (text[at] == pair[0]) - (text[at] == pair[1])
        at += 1
    return at


def under_locks(text: str) -> list[str]:
    """The sources that run while a bound object is locked."""
    found = []
    for guard in re.finditer(r"lock_guard lock\([^;]*;", text):
        found.append(text[guard.end() : closing(text, guard.end(), "{}")])
    for call in re.finditer(r"\b(?:locked|run|read|run_native|without_gil)\(", text):
        arguments = text[call.end() : closing(text, call.end(), "()")]
        found += re.findall(r"\[.*", arguments, re.DOTALL)  # from the lambda on
    return found


def test_nothing_of_python_is_made_while_an_object_is_locked() -> None:
    # It may run finalisers, which may call the object or wait for a thread that does.
    seen = 0
    for path in sorted((ROOT / "cpp" / "bindings").iterdir()):
        text = re.sub(r"//.*", "", path.read_text())
        for part in under_locks(text) if path.suffix in {".h", ".cpp"} else ():
            assert not OF_PYTHON.search(part), f"{path.name}: {part}"
            seen += 1
    assert seen > 80


def imported_packages(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level == 1:
                continue  # inside the package
            assert node.level == 0, f"{path}: relative import out of the package"
            module = node.module or ""
            names = (
                [f"sealroom.{alias.name}" for alias in node.names]
                if module == "sealroom"
                else [module]
            )
        else:
            continue
        found |= {name.split(".")[1] for name in names if name.startswith("sealroom.")}
    return found


@pytest.mark.parametrize("package", PYTHON_PACKAGES)
def test_a_python_package_imports_only_the_packages_below_it(package: str) -> None:
    base = ROOT / "python" / "sealroom"
    sources = sorted((base / package).rglob("*.py")) or [base / f"{package}.py"]
    for path in sources:
        imported = imported_packages(path) - {package}
        assert imported <= PYTHON_PACKAGES[package], f"{path.relative_to(ROOT)} imports {imported}"


def test_nothing_below_imports_the_programs() -> None:
    base = ROOT / "python" / "sealroom"
    for path in base.rglob("*.py"):
        package = path.relative_to(base).parts[0]
        if package not in PYTHON_PROGRAMS | {"__main__.py"}:
            assert not imported_packages(path) & PYTHON_PROGRAMS, path


def test_every_python_package_is_named_here() -> None:
    base = ROOT / "python" / "sealroom"
    found = {
        path.stem
        for path in base.iterdir()
        if path.suffix == ".py" or (path.is_dir() and any(path.rglob("*.py")))
    }
    thin = {"__init__", "__main__", "jitter", "rtp", "sframe", "srtp"}  # re-exports of _core
    assert found - thin == set(PYTHON_PACKAGES) | PYTHON_PROGRAMS
