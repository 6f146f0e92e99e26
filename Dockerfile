# The service as one image: `docker run sigmoid` serves, `docker compose up` splits API and worker.
# docs/docker.md explains the choices. Pin the base by digest in your own registry:
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:… .
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm


# The build stage installs, compiles and checks; only its results move on.
FROM ${PYTHON_IMAGE} AS builder

ENV PATH=/opt/sigmoid/bin:$PATH \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_PROGRESS_BAR=off

# Wheels with known hashes only, so nothing is compiled and nothing unknown is run.
COPY requirements/runtime.txt requirements/build.txt /app/requirements/
RUN python3 -m venv /opt/sigmoid \
 && pip install --quiet --require-hashes --only-binary :all: \
        -r /app/requirements/runtime.txt -r /app/requirements/build.txt \
 && find /opt/sigmoid -type d -name tests -prune -exec rm -rf {} +

# SQLite before 3.51.3 can lose a commit when a checkpoint races it (sqlite.org/wal.html).
RUN python -c "import sys; from pysqlite3 import sqlite_version_info as v; sys.exit(v < (3, 51, 3))"

COPY pyproject.toml README.md LICENSE /app/
COPY core /app/core
COPY migrations /app/migrations
COPY service /app/service
COPY --chmod=0755 scripts/container-start /opt/sigmoid/bin/container-start
RUN pip install --quiet --no-deps --no-build-isolation \
        --config-settings=editable_mode=compat --editable=/app \
 && pip uninstall --quiet --yes pip setuptools

# The compiled kernels are kept by the sources' times: whole seconds survive an image layer.
ENV NUMBA_CACHE_DIR=/opt/sigmoid/kernels
RUN find /app -exec touch --date=@1767225600 {} + \
 && python -m compileall -q /app/core /app/migrations /app/service \
 && python -c "from core.training import warm; warm()"


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="Sigmoid" \
      org.opencontainers.image.description="Train a neural network from a table and serve it over HTTP." \
      org.opencontainers.image.licenses="Apache-2.0"

# Nothing that installs or builds stays within reach; the numeric user owns the data folder only.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 && install --directory --owner=10001 --group=10001 /data

COPY --from=builder /opt/sigmoid /opt/sigmoid
COPY --from=builder /app /app

# One thread for linear algebra: jobs run side by side. Few arenas: freed memory goes back.
ENV PATH=/opt/sigmoid/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    MALLOC_ARENA_MAX=2 \
    MALLOC_TRIM_THRESHOLD_=100000 \
    SIGMOID_HOST=0.0.0.0 \
    SIGMOID_PORT=8000 \
    SIGMOID_DATA_DIR=/data \
    NUMBA_CACHE_DIR=/data/kernels

USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['SIGMOID_PORT'] + '/livez', timeout=2)"]

ENTRYPOINT ["container-start"]
CMD ["serve"]
