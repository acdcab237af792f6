"""Sites as they are found in the wild, for the tests to serve."""
