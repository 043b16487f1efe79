#!/bin/sh
# Judges our Modbus client by a server that is not ours, and our symbols by a decoder that is not ours. Needs python3
# with venv, and a package index.
set -eu
cd "$(dirname "$0")/../.."
venv="${TMPDIR:-/tmp}/packmark-outside"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet 'pymodbus==3.16.1' 'zxing-cpp==3.1.1' 'pillow==13.0.0'
PACKMARK_PYTHON="$venv/bin/python" exec cargo test --locked --test outside "$@"
