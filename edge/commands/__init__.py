"""Commands of roomkeeper-edge about what a room would do, and who may: intents, policy."""
