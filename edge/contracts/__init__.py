"""What crosses a boundary: signals, commands, plugin calls, wire messages, the topic table.

Imports the standard library and msgspec only.
"""
