#!/usr/bin/env bash
# Take the README's pictures from the browser tests' screenshots.
set -euo pipefail
cd "$(dirname "$0")/../../.."
.venv/bin/python -m pytest tests/browser/test_panel.py -q -k "busy or free-" || exit 1
.venv/bin/python -m pytest tests/browser/test_admin.py -q -k "attention or other_pages" || exit 1
shots=build/screenshots here=tests/browser/pictures
cp "$shots/panel-busy-800x480-light.png" "$here/panel-busy.png"
cp "$shots/panel-free-1440x900-dark.png" "$here/panel-free-dark.png"
cp "$shots/admin-overview-attention-1440x900-light.png" "$here/admin-overview.png"
cp "$shots/admin-why-1440x900-light.png" "$here/admin-why.png"
