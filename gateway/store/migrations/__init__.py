"""The migrations of the store, in ``versions``: written by hand, compared with the models by the tests."""
