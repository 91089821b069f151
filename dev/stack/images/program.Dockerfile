# One static Go program, under the name by which its published image calls it.
FROM scratch
COPY program /program
USER 65532:65532
ENTRYPOINT ["/program"]
