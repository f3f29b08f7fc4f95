"""Random lives of invitations, compared with a slow and obvious reference model."""
