"""What people are told of their own data: who used it, and how much of it each service holds."""
