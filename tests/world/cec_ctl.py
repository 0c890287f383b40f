"""Stands in for `cec-ctl` and the display behind it; what the display is stands in a file.

    python -m tests.world.cec_ctl STATE -d /dev/cec0 --to 0 --image-view-on

The file is JSON: power ("on", "standby"), source ("1.0.0.0"), and how it misbehaves: absent (nobody
on the cable), dumb (does not tell its input), hang, rubbish, broken.
"""

import json
import os
import sys
import time
from pathlib import Path

POWER = {"on": 0, "standby": 1, "to-on": 2}


def main() -> None:
    path, words = Path(sys.argv[1]), sys.argv[2:]
    state = json.loads(path.read_text())
    if state.get("hang"):
        time.sleep(60)
    if state.get("rubbish"):
        os.write(1, os.urandom(200_000))
        return
    if state.get("broken"):
        print("Failed to open /dev/cec0: Input/output error", file=sys.stderr)
        sys.exit(1)
    if "--playback" in words:
        print("Driver Info:\n\tDriver Name                : vc4\n\tLogical Address Mask : 0x0010")
        return
    print("\nTransmit from Playback Device 1 to TV (4 to 0):")
    if state.get("absent"):
        print("\tTx, Not Acknowledged (4), Max Retries")
        return
    if "--image-view-on" in words:
        state["power"] = "on"
    elif "--standby" in words:
        state["power"] = "standby"
    elif "--active-source" in words:
        state["source"] = words[-1].removeprefix("phys-addr=")
    elif "--give-device-power-status" in words:
        power = state["power"]
        print("GIVE_DEVICE_POWER_STATUS (0x8f)\n    Received from TV (0):")
        print(f"REPORT_POWER_STATUS (0x90):\n\tpwr-state: {power} ({POWER[power]:#04x})")
    elif "--request-active-source" in words and not state.get("dumb"):
        print("REQUEST_ACTIVE_SOURCE (0x85)\n    Received from Recording Device 1 (1):")
        print(f"ACTIVE_SOURCE (0x82):\n\tphys-addr: {state['source']}")
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps(state))
    temporary.replace(path)


if __name__ == "__main__":
    main()
