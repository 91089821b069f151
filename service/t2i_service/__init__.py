"""The instrumented FastAPI service that a `TextToImageService` runs."""
