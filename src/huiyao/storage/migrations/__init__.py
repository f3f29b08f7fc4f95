"""The numbered migrations, one set for both databases; never edited once released."""
