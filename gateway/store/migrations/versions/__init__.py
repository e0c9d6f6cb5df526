"""One file per migration, named ``r<revision>_<what it does>.py``."""
