"""Models that leave home: files in other formats, each with a certificate of its trial."""

NOT_EXPORTABLE = 3  # exit status of the process that makes them
