"""Signals in, one frozen picture of the room out."""
