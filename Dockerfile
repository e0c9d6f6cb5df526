# Voltgate as a container: no root, no compiler and no package installer in what runs, nothing written outside of
# /var/lib/voltgate (so `--read-only` works). Keep the store there:
#   store: {url: "sqlite+aiosqlite:////var/lib/voltgate/voltgate.db"}
#
#   docker build -t voltgate .
#   docker run --read-only -v ./voltgate:/etc/voltgate:ro -v voltgate:/var/lib/voltgate -p 8443:8443 voltgate
#
# The packages are those of requirements/, checked by hash. To have the base image checked as well, name it by digest:
# --build-arg BASE=python@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/build && python -m venv /opt/voltgate
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN /opt/build/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/build.txt \
    && /opt/voltgate/bin/python -m pip install --require-hashes --only-binary :all: -r requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY pki pki
COPY policies policies
COPY certs certs
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && /opt/voltgate/bin/python -m pip install --no-deps --no-index /dist/*.whl \
    && /opt/voltgate/bin/python -m pip uninstall --yes pip

FROM ${BASE}
LABEL org.opencontainers.image.title="Voltgate" \
      org.opencontainers.image.description="A security gateway for EV charging" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/voltgate/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
COPY --from=build /opt/voltgate /opt/voltgate
RUN install -d -o 65532 -g 65532 -m 0750 /var/lib/voltgate
# A number, not a name: Kubernetes can't see from a name that it isn't root (runAsNonRoot).
USER 65532:65532
WORKDIR /var/lib/voltgate
VOLUME /var/lib/voltgate
EXPOSE 8443 8081
# admin.bind's default address. Where the configuration names another, give --health-cmd; Kubernetes has its own probes.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8081/healthz', timeout=3)"]
ENTRYPOINT ["voltgate"]
CMD ["serve", "--config", "/etc/voltgate/voltgate.yaml"]
