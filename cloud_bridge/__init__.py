"""The service: hears the rooms, provisions their machines, shows the facilities page."""
