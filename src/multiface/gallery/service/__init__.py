"""What a service keeps in the gallery, in SQL: keys, jobs, answers, the audit log, cameras and their events."""
