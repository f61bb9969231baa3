"""The only way out of a plugin: a table of what it may ask, when, and how often. Unknown means the end."""
