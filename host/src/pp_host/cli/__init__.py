"""The command line parses and prints; it decides nothing."""
