//! Databases: connect, catalog, rows as the server's own text, digest of a table.
