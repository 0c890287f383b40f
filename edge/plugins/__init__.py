"""Room-control plugins: what is installed, who signed it, and the sandbox it runs in."""
