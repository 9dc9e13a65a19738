#!/bin/sh
# Makes .venv with pip and uv in it: venv.sh PYTHON UV_VERSION
set -eu
python=$1 uv=$2
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' || {
  echo "M2M needs Python 3.11 or 3.12; '$python' is $("$python" --version 2>&1). Set PYTHON=/path/to/python3.11" >&2
  exit 1
}
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
  # Debian splits the standard library: venv needs a package of its own.
  version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && apt-get install -y -qq "$version-venv" >/dev/null
  else
    echo "this Python has no ensurepip: install the package $version-venv" >&2
    exit 1
  fi
fi
test -x .venv/bin/python || "$python" -m venv .venv
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --upgrade-deps .venv
.venv/bin/python -m pip install -q --disable-pip-version-check "uv==$uv"
