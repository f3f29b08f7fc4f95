"""Rules and other pure parts, without a database."""
