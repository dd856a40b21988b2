"""The service: endpoints that clients of OpenAI and Anthropic know, an API over the log, and the dashboard."""
