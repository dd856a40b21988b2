"""Many hosts on one PostgreSQL: real network namespaces, a load balancer, and everything that happens to hosts."""
