"""The service's metrics that rules query; a contract test holds them to the service's own registry."""

REQUESTS = "http_requests_total"
REQUEST_SECONDS = "http_request_duration_seconds"
GENERATIONS = "image_generation_total"
GENERATION_SECONDS = "image_generation_duration_seconds"
COST = "t2i_model_cost_total"
MODEL_GENERATIONS = "t2i_model_generations_total"
BREAKER = "t2i_model_breaker_state"  # 0: closed

# Probes and scrapes would dilute sparse image traffic, so ratios and percentiles look at these endpoints only.
GENERATION_ENDPOINTS = ("/generate", "/v1/images/generations")
