"""Models that leave home: files in other formats, each with a certificate of its trial."""
