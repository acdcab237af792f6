"""The C header is one that every compiler takes, in C and in C++."""

from __future__ import annotations

import subprocess

import pytest

from tests.harness.plugins import INCLUDE

STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror")


@pytest.mark.parametrize(
    ("compiler", "language", "standard"),
    [("cc", "c", "c11"), ("cc", "c", "c17"), ("c++", "c++", "c++11"), ("c++", "c++", "c++17")],
)
def test_the_header_compiles_strictly(tmp_path, compiler, language, standard):
    source = tmp_path / "alone"
    source.write_text(
        "#include <tricorn.h>\n"
        "int size_of_entry(void);\n"
        "int size_of_entry(void) { return (int) sizeof(struct tricorn_entry); }\n"
    )
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, f"-I{INCLUDE}"]
    subprocess.run([*command, "-fsyntax-only", str(source)], check=True)
