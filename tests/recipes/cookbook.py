"""Reads docs/recipes.md: what the tests run is what operators copy."""

from __future__ import annotations

import re
from pathlib import Path

from tests.harness.server import ROOT, Server

DOCUMENT = ROOT / "docs" / "recipes.md"


def recipe(title: str) -> dict[str, str]:
    """Return the files that the section of this title shows, by the names in their first lines."""
    sections = re.split(r"^##+ ", DOCUMENT.read_text(), flags=re.MULTILINE)
    (section,) = (text for text in sections if text.partition("\n")[0] == title)
    files = re.findall(r"^```python\n# (\S+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert files, f"there is no file under {title!r}"
    return dict(files)


def write_recipe(server: Server, *titles: str) -> None:
    """Write the files of some recipes into the folder that a server is started in."""
    for title in titles:
        for name, text in recipe(title).items():
            server.write(name, text)


def folder_of_metrics(server: Server) -> Path:
    """Make the folder in which the processes share what they count."""
    path = server.folder / "metrics"
    path.mkdir()
    return path
