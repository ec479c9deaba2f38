"""
Build the zip that AWS Lambda runs: the package and what it needs, without boto3 and tests.

pip alone fetches, for whatever Python and architecture is asked for, on any machine: wheels for
the platform, and of pyqldb and ionhash, which have none, the sources. amazon.ion comes without
what it declares (jsonconversion brings numpy, for a module that nothing here imports). boto3
is the runtime's own.

The same input gives the same bytes: versions are pinned below, entries are sorted, times and
rights are fixed, nothing of a machine (paths, installers) goes in. Lambda cannot write compiled
modules beside the code, and compiling costs half a second at each cold start: so they are in the
zip, made by a Python of the asked version, in a form that does not depend on time or place. Where
no such Python is found they are left out, and that is said.

Usage: python scripts/build_lambda.py [--python 3.13] [--arch arm64] [--extras qldb,postgres]
           [--out dist/lambda.zip] [--packages FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = "qldb_stream"

WHEELS: Final[dict[str, tuple[str, ...]]] = {
    "": ("amazon.ion==0.15.0", "attrs==26.1.0", "pluggy==1.7.0"),
    "qldb": (),
    "kafka": ("confluent-kafka==2.16.1",),
    "postgres": ("psycopg==3.3.9", "psycopg-binary==3.3.9", "typing_extensions==4.16.0"),
}
"""By extra, the wheels that it needs on Lambda; the first are always there."""

SOURCES: Final[dict[str, tuple[str, ...]]] = {"qldb": ("pyqldb==3.2.4", "ionhash==1.2.1")}
"""By extra, what has no wheels: from its source, which is the package's folder as it stands."""

DEFAULT_EXTRAS: Final = "qldb,postgres"

# Lambda's machine: Amazon Linux 2 (glibc 2.26) for 3.11, Amazon Linux 2023 (2.34) from 3.12 on.
GLIBC: Final = {"3.11": 26, "3.12": 34, "3.13": 34}
ARCHITECTURES: Final = {"x86_64": "x86_64", "arm64": "aarch64"}

# Not for Lambda: the command, the server and the kits, with what they need.
LEFT_OUT: Final = ("cli/", "server/", "testing/", "__main__.py")
SUFFIXES: Final = (".py", ".json", ".typed")
# Of others' wheels: objects of the compiler, benchmarks, tests, and what pip wrote.
FOREIGN_LEFT_OUT: Final = re.compile(
    r"(^|/)(tests?|ionbenchmark|objects-Release)/|\.(o|a|pyc|pyi|c|h)$"
    r"|\.dist-info/(RECORD|WHEEL|INSTALLER|REQUESTED|direct_url\.json|top_level\.txt)$"
)
MAX_BYTES: Final = 250 * 2**20  # what Lambda unpacks at most

# Run by the asked Python: source files by path in, compiled ones out. Marshal's version 2 has no
# references, whose places depend on what else the process did; the hash seed orders sets.
COMPILE: Final = """
import importlib.util, marshal, sys
from pathlib import Path
root, cache = Path(sys.argv[1]), Path(sys.argv[2])
for name in sys.stdin.read().split("\\n"):
    source = (root / name).read_bytes()
    code = compile(source, name, "exec", dont_inherit=True)
    head = importlib.util.MAGIC_NUMBER + (1).to_bytes(4, "little")
    target = cache / importlib.util.cache_from_source(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(head + importlib.util.source_hash(source) + marshal.dumps(code, 2))
"""


def pip(*arguments: str) -> None:
    """Run pip; its failure ends the script."""
    command = [sys.executable, "-m", "pip", "-qq", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        sys.exit(f"lambda: failed ({done.returncode}): pip {' '.join(arguments)}")


def fetch(python: str, arch: str, extras: list[str], folder: Path) -> list[Path]:
    """Fetch every package into a folder; what is there already is not asked for again."""
    folder.mkdir(parents=True, exist_ok=True)
    machine = ARCHITECTURES[arch]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC[python], 16, -1)]
    flags = [
        flag for name in (*platforms, f"manylinux2014_{machine}") for flag in ("--platform", name)
    ]
    wanted = dict.fromkeys(pin for extra in ("", *extras) for pin in WHEELS[extra])
    missing = [pin for pin in wanted if not find(folder, pin)]
    if missing:
        version = ("--implementation", "cp", "--python-version", python)
        only = ("--only-binary", ":all:", "--no-deps", "-d", str(folder))
        pip("download", *only, *version, *flags, *missing)
    sources = dict.fromkeys(pin for extra in extras for pin in SOURCES.get(extra, ()))
    missing = [pin for pin in sources if not find(folder, pin)]
    if missing:
        names = ",".join(pin.partition("==")[0] for pin in missing)
        pip("download", "--no-deps", "--no-binary", names, "-d", str(folder), *missing)
    return [path for pin in (*wanted, *sources) for path in find(folder, pin)]


def find(folder: Path, pin: str) -> list[Path]:
    """Find the file of a pinned package."""
    name, _, version = pin.partition("==")
    plain = re.sub(r"[-_.]+", "_", name).lower()
    return [
        path
        for path in sorted(folder.iterdir())
        if re.sub(r"[-_.]+", "_", path.name)
        .lower()
        .startswith(f"{plain}_{version.replace('.', '_')}_")
    ]


def iter_foreign(path: Path) -> Iterator[tuple[str, bytes]]:
    """Give what a package brings, by its path in the zip."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            for name in wheel.namelist():
                if not name.endswith("/"):
                    yield name, wheel.read(name)
        return
    name = path.name.partition("-")[0]
    with tarfile.open(path) as source:
        for member in source.getmembers():
            inner = member.name.partition("/")[2]
            if member.isfile() and inner.startswith(f"{name}/"):
                data = source.extractfile(member)
                assert data is not None
                yield inner, data.read()
            elif member.isfile() and inner in {"LICENSE", "NOTICE"}:
                data = source.extractfile(member)
                assert data is not None
                yield f"{path.name.removesuffix('.tar.gz')}.dist-info/{inner}", data.read()


def iter_ours() -> Iterator[tuple[str, bytes]]:
    """Give the package itself, and what says which version it is."""
    root = REPOSITORY / PACKAGE
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.suffix in SUFFIXES and not name.startswith(LEFT_OUT) and path.is_file():
            yield f"{PACKAGE}/{name}", path.read_bytes()
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    info = f"{PACKAGE}-{project['version']}.dist-info"
    said = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    yield f"{info}/METADATA", said.encode()
    yield f"{info}/LICENSE", (REPOSITORY / "LICENSE").read_bytes()


def compile_all(files: dict[str, bytes], python: str) -> dict[str, bytes]:
    """Compile every module with a Python of the asked version; nothing where there is none."""
    found = find_python(python)
    if found is None:
        print(f"lambda: no python{python} found: without compiled modules, so it starts slower")
        return {}
    sources = sorted(name for name in files if name.endswith(".py"))
    with tempfile.TemporaryDirectory() as folder:
        root, cache = Path(folder, "source"), Path(folder, "cache")
        for name in sources:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(files[name])
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        environment.pop("PYTHONPYCACHEPREFIX", None)
        command = [found, "-S", "-c", COMPILE, str(root), str(cache)]
        subprocess.run(command, input="\n".join(sources), text=True, check=True, env=environment)
        compiled = sorted(path for path in cache.rglob("*.pyc"))
        return {path.relative_to(cache).as_posix(): path.read_bytes() for path in compiled}


def find_python(version: str) -> str | None:
    """Find a Python of a version: this one, or one on the path."""
    for candidate in (sys.executable, shutil.which(f"python{version}")):
        if candidate is None:
            continue
        code = "import sys; print('%d.%d' % sys.version_info[:2])"
        done = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def write_zip(files: dict[str, bytes], out: Path) -> str:
    """Write the zip, the same bytes for the same files; give its SHA-256."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out, "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # Unix, whatever builds
            entry.external_attr = 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, files[name], compresslevel=9)
    return hashlib.sha256(out.read_bytes()).hexdigest()


def build(python: str, arch: str, extras: list[str], out: Path, packages: Path) -> None:
    """Build the zip, and say what it came to."""
    files = dict(iter_ours())
    # A folder for each: a wheel for another Python or machine has the name and version too.
    for path in fetch(python, arch, extras, packages / f"{python}-{arch}"):
        files |= {n: data for n, data in iter_foreign(path) if not FOREIGN_LEFT_OUT.search(n)}
    files |= compile_all(files, python)
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        sys.exit(f"lambda: unpacks to {size >> 20} MB, Lambda takes {MAX_BYTES >> 20} MB")
    digest = write_zip(files, out)
    print(f"lambda: {out} for Python {python} on {arch}, extras {','.join(extras) or 'none'}")
    print(f"lambda: {out.stat().st_size / 2**20:.1f} MB, unpacks to {size / 2**20:.1f} MB")
    print(f"lambda: sha256 {digest}")


def main(arguments: list[str]) -> None:
    """Check the arguments and build."""
    parser = argparse.ArgumentParser(prog="build_lambda.py", description=__doc__.splitlines()[1])
    parser.add_argument("--python", default="3.13", choices=sorted(GLIBC))
    parser.add_argument("--arch", default="arm64", choices=sorted(ARCHITECTURES))
    parser.add_argument(
        "--extras", default=DEFAULT_EXTRAS, help=f"of {', '.join(filter(None, WHEELS))}"
    )
    parser.add_argument("--out", type=Path, default=REPOSITORY / "dist" / "lambda.zip")
    parser.add_argument(
        "--packages", type=Path, help="where packages are kept, by target; nowhere without"
    )
    given = parser.parse_args(arguments)
    extras = sorted(filter(None, given.extras.split(",")))
    unknown = set(extras) - WHEELS.keys()
    if unknown:
        parser.error(f"there is no extra {', '.join(sorted(unknown))} for Lambda")
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder) if given.packages is None else given.packages
        build(given.python, given.arch, extras, given.out, packages)


if __name__ == "__main__":
    main(sys.argv[1:])
