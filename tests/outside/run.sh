#!/bin/sh
# Judges our side by programs that are not ours: pymodbus (TCP, and RTU over socat's ptys), zxing-cpp, SerialBox. Needs
# python3 with venv, a package index, and socat. A word after it names the tests: run.sh serialbox
set -eu
command -v socat >/dev/null || { echo "socat is missing; install it (Debian: apt-get install socat)" >&2; exit 2; }
cd "$(dirname "$0")/../.."
venv="${TMPDIR:-/tmp}/packmark-outside"
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check 'pymodbus==3.16.1' 'pyserial==3.5' 'zxing-cpp==3.1.1' 'pillow==13.0.0' \
    -r tests/outside/serialbox/requirements.txt
PACKMARK_PYTHON="$venv/bin/python" exec cargo test --locked --test outside "$@"
