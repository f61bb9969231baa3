"""What one run did, gathered for a page: figures, curves, tables, and how each trade came about."""
