"""NAME: the light is on while people are here and for a while after they left."""

ID = "NAME"


def handle(given):
    """Return what the room should be: {"commands": [...], "state": text}."""
    settings = given.get("settings", {})
    now = given["now"]
    # What is to be remembered comes back as the text that went out last time.
    seen = float(given.get("state") or -1e9)
    commands = []
    for event in given["events"]:
        here = event.get("occupied", False)
        if here:
            seen = now
        on = here or 0 <= now - seen < settings.get("hold_s", 60)
        # Every event is answered: who hears of people arriving must say what that means.
        commands.append(
            {
                "event": event["id"],
                "actuator": settings.get("actuator", "light.main"),
                "value": settings.get("level", 70) if on else 0,
                "lease_s": 60,
                "reason": "people are here" if here else "held" if on else "nobody here",
            }
        )
    return {"commands": commands, "state": f"{seen:.0f}"}
