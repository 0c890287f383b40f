"""A BACnet controller of somebody else's making: a stack in Rust (rusty-bacnet), its own process.

python -m tests.world.bacnet_device --address 127.0.0.2 --port 47808 --instance 3056
"""

import argparse
import asyncio

from rusty_bacnet import BACnetServer


async def serve(address: str, port: int, instance: int, broadcast: str) -> None:
    server = BACnetServer(
        instance, "controller", address, port, broadcast, share_port_by_address=True
    )
    server.add_analog_value(1, "setpoint", 62)
    server.add_analog_output(2, "damper", 98)
    server.add_binary_value(3, "fan")
    server.add_binary_output(4, "pump")
    server.add_multistate_value(5, "mode", 3)
    server.add_analog_value(9, "measured", 62, present_value_access="read_only")
    await server.start()
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.2")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--instance", type=int, default=3056)
    parser.add_argument("--broadcast", default="127.255.255.255")
    options = parser.parse_args()
    asyncio.run(serve(options.address, options.port, options.instance, options.broadcast))


if __name__ == "__main__":
    main()
