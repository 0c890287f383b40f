"""The room's appliance: senses, decides and acts, with or without a network."""
