"""The life of a meeting, from booking to release: a pure state machine."""
