"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""

from alembic import op

from model_orchestrator.infrastructure.migrations.sql import execute_file

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    execute_file(op.get_bind(), revision)


def downgrade() -> None:
    raise NotImplementedError("an event log is not taken back: restore a backup from before the upgrade")
