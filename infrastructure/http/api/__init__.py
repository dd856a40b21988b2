"""The native API: runs, events, costs, models, budgets and feedback as JSON, and a description of every endpoint."""
