"""Processes: start, watch, call, end, restart. Knows pids and descriptors; judges no trade and opens no file."""
