# What the tests run in pods: a shell and Python, as any user.
ARG BASE
FROM ${BASE}
USER 65532:65532
ENTRYPOINT ["sleep", "infinity"]
