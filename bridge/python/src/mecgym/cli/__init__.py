"""What runs as a command."""
