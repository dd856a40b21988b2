"""The loop that performs what is due, and the use cases around it."""
