"""What the gateway answers itself instead of the backend."""
