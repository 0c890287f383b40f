"""The sound system's mixer: a microphone's gain and mute."""
