"""What a transform does to one value, and how it gets there without changing the message it was given."""
