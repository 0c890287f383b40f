"""What the room should be, who may ask for it, and who wins: intents, policy, arbiter. Pure."""
