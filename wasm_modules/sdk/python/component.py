"""What the room calls, handed to the author's `plugin.py` as plain Python values."""

import json

import plugin
import wit_world


class WitWorld(wit_world.WitWorld):
    """The world `roomkeeper:room/plugin`."""

    def describe(self) -> str:
        """Say who this is; called once, when the plugin is loaded."""
        return json.dumps({"id": plugin.ID, "schema": 1})

    def handle(self, input: str) -> str:
        """Answer a batch of events: PluginInput in, PluginOutput out."""
        return json.dumps(plugin.handle(json.loads(input)))
