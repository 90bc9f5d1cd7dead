"""Sessions on a server: requests in sequence, recovery, snapshots."""
