"""The command `sealroom`. Imports everything; nothing imports it."""

from __future__ import annotations

import sys

_EXTRAS = {
    "cli": ("typer", "rich"),
    "bridge": (
        "starlette",
        "uvicorn",
        "sqlalchemy",
        "aiosqlite",
        "greenlet",
        "alembic",
        "structlog",
        "prometheus_client",
    ),
}


def main() -> None:
    """Runs the command line and exits: 0 done, 1 failed, 2 used wrongly or not installed fully."""
    try:
        from sealroom.cli.app import run

        code = run()
    except ImportError as error:
        print(f"Error: {missing_module_message(error)}", file=sys.stderr)  # noqa: T201
        code = 2
    sys.exit(code)


def missing_module_message(error: ImportError) -> str:
    """Returns a sentence that names the extra to install."""
    module = (error.name or "").split(".")[0]
    for extra, modules in _EXTRAS.items():
        if module in modules:
            return (
                f"this command needs {module}, which the extra '{extra}' brings."
                f" Remedy: pip install 'sealroom[{extra}]'."
            )
    return f"the Python module {error.name} is missing. Remedy: install sealroom again."
