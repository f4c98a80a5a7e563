#!/usr/bin/env bash
# Build each named package and the packages of ours that it needs as wheels, install it alone into an empty
# environment, import every module of it, and only then install its test dependencies and run its tests there.
# An import that its metadata does not declare fails here and nowhere else.
#
# usage: infra/ci/standalone.sh PYTHON PACKAGE…     (PYTHON: an interpreter that has poetry-core and build)
set -euo pipefail

unset PYTHONPATH
python=$(realpath --no-symlinks "$1")
shift
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
torch=$(grep -E '^torch==' "$root/constraints.txt")

# build's own log is noise unless it fails.
build_wheel() {
    "$python" -m build --wheel --no-isolation --outdir "$work/wheels" "$root/packages/$1" >"$work/build.log" 2>&1 ||
        { cat "$work/build.log" >&2; return 1; }
}

build_wheel speech_records
for package in "$@"; do
    echo "== $package, alone"
    build_wheel "$package"
    distribution="emotionthinker-${package//_/-}"
    environment="$work/$package"
    "$python" -m venv "$environment"
    pip=("$environment/bin/python" -m pip --quiet)
    "${pip[@]}" install --upgrade 'pip>=25.1'
    if grep -qE '^ *"torch[<>=]' "$root/packages/$package/pyproject.toml"; then
        "${pip[@]}" install "$torch"
    fi
    "${pip[@]}" install -c "$root/constraints.txt" --find-links "$work/wheels" "$distribution"

    # Away from the repository, so that the wheel is what is imported.
    mkdir "$work/away-$package"
    cd "$work/away-$package"
    "$environment/bin/python" - "$package" <<'PYTHON'
import importlib
import pkgutil
import sys

package = importlib.import_module(sys.argv[1])
names = [m.name for m in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
assert "site-packages" in package.__file__, package.__file__
print(f"imported {package.__name__} and {len(names)} modules from its wheel")
PYTHON
    "${pip[@]}" install -c "$root/constraints.txt" --group "$root/packages/$package/pyproject.toml:test"
    cp -r "$root/conftest.py" "$root/packages/$package/tests" "$root/packages/$package/README.md" .
    "$environment/bin/python" -m pytest -q -c "$root/pyproject.toml" --rootdir . -p no:cacheprovider \
        -m 'not corpus and not service and not slow and not gpu and not vllm' tests
    cd "$root"
done
