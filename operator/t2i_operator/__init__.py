"""The Kopf operator: keeps every object of a `TextToImageService` true."""
