"""What a plugin keeps on the host's side: values in a database of its own, lines of text in a folder of its own.

Laws: whose it is was decided before anything here is called; no plugin names a path, and none of these objects reaches
beyond one plugin's own. What a plugin may not do here is a RequestRefused, what an operator has to mend an
OperatorError.
"""
