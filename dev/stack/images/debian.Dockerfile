# A server as Debian packages it, where the published image cannot be had.
ARG BASE
FROM ${BASE}
ARG PACKAGE
RUN apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends "${PACKAGE}" \
 && ln -s "/usr/bin/${PACKAGE}" /program \
 && rm -rf /var/lib/apt/lists
USER 65534:65534
ENTRYPOINT ["/program"]
