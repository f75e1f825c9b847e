"""Worker entry: `celery -A celery_app worker`, `celery -A celery_app beat`."""

from relay import wiring

app = wiring.current().worker()
