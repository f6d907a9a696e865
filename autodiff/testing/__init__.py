"""Property-based checks of ops, the library's and yours."""
