"""The event log, contents and balances; on PostgreSQL the leases too.

Revision ID: 0001_event_log
Revises:
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = "0001_event_log"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
