"""Version 1 of the health service."""
