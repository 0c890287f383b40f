"""MQTT entities that announce themselves to Home Assistant: a topic for each side of each.

    python -m tests.world.entity --port 1883 --component cover --name blind

What is set on x/NAME/SIDE/set is told, retained, on x/NAME/SIDE.
"""

import argparse
from typing import Any

import msgspec

from tests.world.on_broker import Device

SIDES = {
    "light": {"": "OFF", "brightness": "255"},
    "switch": {"": "OFF"},
    "cover": {"position": "100"},
    "fan": {"": "OFF", "percentage": "1"},
    "number": {"": "0"},
    "select": {"": "one"},
    "climate": {"temperature": "18"},
}
COMMAND = {"position": "set_position_topic"}
STATE = {"position": "position_topic"}


def announced(component: str, name: str) -> dict[str, Any]:
    """Return its config message, with the abbreviations that devices use."""
    document: dict[str, Any] = {
        "~": f"x/{name}", "name": name, "uniq_id": f"x-{name}",
        "avty": [{"t": "~/there"}], "dev": {"ids": [f"x-{name}"], "name": name},
    }  # fmt: skip
    for side in SIDES[component]:
        begin = f"{side}_" if side else ""
        document[COMMAND.get(side, f"{begin}command_topic")] = f"~{'/' + side if side else ''}/set"
        document[STATE.get(side, f"{begin}state_topic")] = f"~{'/' + side if side else ''}"
    if component == "select":
        document["options"] = ["one", "two", "three"]
    if component == "number":
        document |= {"min": 0, "max": 60}
    if component == "fan":
        document |= {"spd_rng_max": 3}
    return document


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--component", choices=tuple(SIDES), required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--stubborn", action="store_true")
    parser.add_argument("--travel", type=float, default=0.0, help="seconds a position takes")
    options = parser.parse_args()
    base = f"x/{options.name}"
    state = {f"{base}/{side}".rstrip("/"): text for side, text in SIDES[options.component].items()}

    def heard(topic: str, payload: bytes) -> None:
        told = topic.removesuffix("/set")
        if told not in state or options.stubborn:
            return
        if options.travel and told.endswith("/position"):
            travel(told, float(payload))
        else:
            client.later(lambda: client.say(told, payload, retain=True))

    def travel(topic: str, target: float) -> None:
        """Say where it is on its way, ten times."""
        start = float(state[topic])
        for step in range(1, 11):
            text = f"{start + (target - start) * step / 10:.0f}"
            client.later(lambda text=text: arrived(topic, text), options.travel * step / 10)

    def arrived(topic: str, text: str) -> None:
        state[topic] = text
        client.say(topic, text.encode(), retain=True)

    def greet() -> None:
        for topic, text in state.items():
            client.say(topic, text.encode(), retain=True)
        config = msgspec.json.encode(announced(options.component, options.name))
        client.say(f"homeassistant/{options.component}/{options.name}/config", config, retain=True)

    will = f"{base}/there"
    client = Device(
        options.port, [f"{base}/set", f"{base}/+/set"], heard, greet,
        (will, "online"), (will, "offline"),
    )  # fmt: skip
    client.run()


if __name__ == "__main__":
    main()
