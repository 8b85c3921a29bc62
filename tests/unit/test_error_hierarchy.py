"""One hierarchy: who catches ModelswitchError catches every error that the product raises itself."""

import ast
import builtins
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OTHERS = "functions/local/"
"""The laptop's simulation of other software: its errors are Kubernetes', KServe's and a broker's."""
BUILT_IN = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, Exception)}


def errors_in(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if bases & BUILT_IN:
                yield node.name, bases


def test_every_error_of_the_product_is_a_modelswitch_error():
    files = [path for package in ("events", "functions") for path in sorted((ROOT / package).rglob("*.py"))]
    ours = [path for path in files if not path.relative_to(ROOT).as_posix().startswith(OTHERS)]
    outside = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in ours
        for name, bases in errors_in(path)
        if "ModelswitchError" not in bases and name != "ModelswitchError"
    }
    assert outside == set()
