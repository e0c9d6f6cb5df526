"""The composition root: the only place that builds the parts and hands them to each other."""
