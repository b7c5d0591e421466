"""The words of the system: states, messages, subjects, errors, REST models.

Pure data: no I/O, nothing of ours is imported. Services talk in these words and never import each other.
"""
