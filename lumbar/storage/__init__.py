"""Atomic writes, locks and claims on folders, and arrays that stay on disk."""
