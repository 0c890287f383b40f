#!/usr/bin/env bash
# Resolve pyproject.toml into the lock files: pinned versions with hashes, no addresses.
set -euo pipefail
cd "$(dirname "$0")/.."
lock() {
  out=$1; shift
  .venv/bin/uv pip compile pyproject.toml "$@" -o "lock/$out" \
    --generate-hashes --no-annotate --no-header --no-emit-index-url --universal --python-version 3.11 --quiet
}
.venv/bin/python -m pip install --quiet --require-hashes -r lock/tool.txt
lock run.txt --extra edge --extra cloud
lock openstack.txt --extra cloud --extra openstack
lock dev.txt --extra edge --extra alsa --extra cloud --extra openstack --group dev
for group in wasm homeassistant node nova train; do
  .venv/bin/uv pip compile --group "pyproject.toml:$group" -o "lock/$group.txt" \
    --generate-hashes --no-annotate --no-header --no-emit-index-url --universal --python-version 3.11 --quiet
done
# Node-RED, for the figures beside it, and the door's noVNC: hashes, and no address in it.
for folder in nodered novnc; do
  npm install --prefix "lock/$folder" --package-lock-only --omit-lockfile-registry-resolved \
    --ignore-scripts --no-audit --no-fund
done
.venv/bin/python - <<'END'
import json
from pathlib import Path

for folder in ("nodered", "novnc"):
    path = Path(f"lock/{folder}/package-lock.json")
    lock = json.loads(path.read_text())
    for package in lock["packages"].values():
        package.pop("funding", None)
        package.pop("deprecated", None)
    path.write_text(json.dumps(lock, indent=2) + "\n")
END
