-- One generation after another, and the sums as one line of JSON.
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '{"prompt": "a lighthouse at dusk, oil on canvas, by a painter who has never seen the sea", "width": 64, "height": 64}'

done = function(summary, latency, requests)
  local errors = summary.errors
  local broken = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('\n{"requests": %d, "seconds": %f, "broken": %d, "refused": %d, "p99_ms": %f}\n',
    summary.requests, summary.duration / 1e6, broken, errors.status, latency:percentile(99) / 1000))
end
