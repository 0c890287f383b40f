"""What every process of both sides has: an MQTT link, logs, a health page, a clean end."""
