"""What a user might run instead of Voltgate."""
