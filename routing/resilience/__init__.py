"""What keeps a call alive when a provider fails."""
