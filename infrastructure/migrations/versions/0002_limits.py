"""Rate limits and breakers on PostgreSQL; a SQLite file has them in its state file.

Revision ID: 0002_limits
Revises: 0001_event_log
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = "0002_limits"
down_revision = "0001_event_log"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
