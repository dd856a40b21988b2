"""The function that appends, faster: the same parameters, and those a caller has nothing for may be left out.

Revision ID: 0005_append_faster
Revises: 0004_datasets
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = "0005_append_faster"
down_revision = "0004_datasets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
