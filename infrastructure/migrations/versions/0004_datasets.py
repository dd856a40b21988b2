"""Data sets of recorded outcomes.

Revision ID: 0004_datasets
Revises: 0003_content_keys
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = "0004_datasets"
down_revision = "0003_content_keys"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
