"""Version 1 of the channelz service."""
