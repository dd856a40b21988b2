"""Keys that texts are encrypted with, and the erasure of texts.

Revision ID: 0003_content_keys
Revises: 0002_limits
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = "0003_content_keys"
down_revision = "0002_limits"
branch_labels = None
depends_on = None


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
