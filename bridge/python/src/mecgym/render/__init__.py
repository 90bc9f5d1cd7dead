"""Pictures of environments, as text and in colour."""
