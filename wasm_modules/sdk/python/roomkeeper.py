"""What a plugin in Python may ask of the room: a line in its log."""


def log(level: str, message: str) -> None:
    """Say something to the room's log. level: debug, info, warning or error."""
    try:
        import wit_world  # noqa: PLC0415 - only there inside a room: plain Python prints
    except ImportError:
        print(f"{level}: {message}")  # noqa: T201
    else:
        wit_world.log(level, message)
