# Holds a pod's namespaces open: the sandbox that its containers join.
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
USER 65532:65532
ENTRYPOINT ["/bin/busybox", "sleep", "2147483647"]
