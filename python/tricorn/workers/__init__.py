"""Worker classes by the names that settings give them."""

#: The server's own, and where each is.
SUPPORTED_WORKERS = {
    "sync": "tricorn.workers.sync.SyncWorker",
    "gthread": "tricorn.workers.gthread.ThreadWorker",
}
