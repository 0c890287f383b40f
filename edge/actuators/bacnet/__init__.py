"""The building's controllers, over BACnet/IP."""
