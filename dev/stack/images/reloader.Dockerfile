# The Prometheus Operator names this program by its path.
FROM scratch
COPY prometheus-config-reloader /bin/prometheus-config-reloader
USER 65532:65532
ENTRYPOINT ["/bin/prometheus-config-reloader"]
