"""What outlives the process: stations, transactions, journal, connectors and certificates, in SQLite or PostgreSQL."""
