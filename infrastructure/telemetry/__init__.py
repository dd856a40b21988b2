"""What others read of us: a page of metrics for Prometheus, and traces and metrics for OpenTelemetry."""
