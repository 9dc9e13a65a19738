#!/bin/sh
# Installs packages into the image's environment while it is built: install.sh [UV'S ARGUMENTS]
# A site's certificates and package index are secrets of the build and no part of the image.
set -eu
test ! -s /run/ca.crt || export SSL_CERT_FILE=/run/ca.crt
export HOME=/tmp UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy UV_HTTP_TIMEOUT=300
exec /opt/uv/bin/uv pip install -q --python /opt/m2m/bin/python --no-deps --compile-bytecode "$@"
