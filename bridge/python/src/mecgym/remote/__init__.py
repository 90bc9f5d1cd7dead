"""A backend on a server: protocol, transport, queries and sessions."""
