# Stands for docker.io/library/python:3.13-slim-trixie where no registry is in reach.
FROM scratch
ADD base.tar /
ENV PATH=/usr/local/bin:/usr/bin:/bin
