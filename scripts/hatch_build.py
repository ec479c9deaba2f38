"""
Compile the hot paths into a wheel with mypyc: hatchling's build hook, off unless it is asked for.

`HATCH_BUILD_HOOK_ENABLE_CUSTOM=true pip install .` turns it on and needs a C compiler. The modules
are those that pyproject.toml names beside the hook; their sources go into the wheel too, so that
tracebacks have lines. Everything is made in a temporary folder: the checkout stays as it is, and a
stale binary can never stand before a source that was edited since.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# What mypycify is told. No settings of the project: they are for checking all of it, this compiles
# a few modules of it.
MYPY: Final = ("--config-file=", "--ignore-missing-imports", "--follow-imports=silent")

# In a process of its own: setuptools and mypycify write beside where they are started, and end the
# process when a module has an error.
COMPILE: Final = """
import json, sys
from setuptools import setup
from mypyc.build import mypycify
said = json.loads(sys.argv.pop())
modules = mypycify(said["arguments"], target_dir=said["c"], opt_level=said["level"],
                   debug_level="0", group_name="qldb_stream")
setup(name="qldb_stream", packages=[], ext_modules=modules)
"""


class CompiledBuildHook(BuildHookInterface[Any]):
    """Add to a wheel what mypyc makes of the modules under `modules` of the hook's table."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say what goes into the wheel; an editable one stays as its sources are."""
        if version == "editable":
            self.app.display_warning("an editable install is never compiled: its sources change")
            return
        self._folder = TemporaryDirectory(prefix="qldb-stream-")
        built = Path(self._folder.name).resolve()
        compile_modules(Path(self.root), self.config["modules"], built, self.config["optimize"])
        for library in sorted((built / "lib").rglob("*.*")):
            build_data["force_include"][str(library)] = str(library.relative_to(built / "lib"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what was built, now that the wheel has it."""
        del version, build_data, artifact_path
        if hasattr(self, "_folder"):
            self._folder.cleanup()


def compile_modules(root: Path, modules: list[str], built: Path, level: str) -> None:
    """Compile `modules`, paths from `root`, as one group; the libraries come to `built`/lib."""
    # Where there is no pyproject.toml: setuptools would read it, and refuse what is hatchling's.
    source = built / "source"
    shutil.copytree(root / "qldb_stream", source / "qldb_stream")
    python = f"--python-version={sys.version_info.major}.{sys.version_info.minor}"
    arguments = [*MYPY, python, f"--cache-dir={built / 'cache'}", *modules]
    said = {"arguments": arguments, "c": str(built / "c"), "level": level}
    folders = ("--build-lib", str(built / "lib"), "--build-temp", str(built / "temp"))
    command = (sys.executable, "-c", COMPILE, "build_ext", *folders, json.dumps(said))
    done = subprocess.run(
        command, cwd=source, check=False, capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"mypyc could not compile the hot paths: is there a C compiler (gcc or clang)?\n"
            f"{done.stdout[-8000:]}{done.stderr[-8000:]}"
        )
