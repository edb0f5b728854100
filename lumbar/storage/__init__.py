"""Files that appear whole or not at all, folders that one process works in, and arrays that stay on disk."""
