"""Requests that belong to no session: scenarios and scores."""
