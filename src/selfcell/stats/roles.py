"""What a corpus is to a target, as tables and figures name it."""

PART = "part of a corpus"
ROLES = ("study", "negative control", "control corpus", PART)
