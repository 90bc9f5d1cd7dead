"""The way to a server: sockets, keys, leases, resends, and the server process."""
