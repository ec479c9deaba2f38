"""
What can be asked of an archive: is it whole, what does it prove, what was when.

Each question has a room of its own; this face imports none of them.
"""
