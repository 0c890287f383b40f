"""PTZ cameras that speak VISCA over IP."""
