"""What a plugin's author uses: new, build, test, dev, bench. Never part of a running room."""
