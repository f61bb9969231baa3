"""What runs behind the walls for a guest, each a single file that knows the SDK and nothing of the host."""
