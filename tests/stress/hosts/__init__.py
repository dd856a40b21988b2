"""Many hosts on one PostgreSQL: real network namespaces, a load balancer, and what happens to hosts that run for long."""
