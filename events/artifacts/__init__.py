"""How `artifact.written` comes about: reading an artifact where it is mounted, watching a claim, translating S3's own events."""
