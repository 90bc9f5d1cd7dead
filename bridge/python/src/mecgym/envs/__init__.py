"""Environments: single, vector, text and lanes, with their spaces, infos and wrappers."""
