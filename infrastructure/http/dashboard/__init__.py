"""The dashboard: pages over the read models and the log, rendered here, with htmx for what changes in place."""
