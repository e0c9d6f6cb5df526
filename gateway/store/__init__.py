"""What outlives the process: stations and all that belongs to them, certificates, events; in SQLite or PostgreSQL."""
