# The service as one image: `docker run sigmoid` serves, `docker compose up` splits API and worker.
# docs/docker.md explains the choices. Pin the base by digest in your own registry:
#   docker build --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:… .
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim-bookworm


# What others wrote: wheels with known hashes only, so nothing is compiled and nothing unknown runs.
# The environment has no pip of its own; a second one fills it.
FROM ${PYTHON_IMAGE} AS dependencies

ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ONLY_BINARY=:all: \
    PIP_PROGRESS_BAR=off \
    PIP_REQUIRE_HASHES=1

COPY requirements/build.txt requirements/runtime.txt /build/
RUN python3 -m venv /opt/tools \
 && /opt/tools/bin/pip install --quiet -r /build/build.txt
RUN python3 -m venv --without-pip /opt/sigmoid \
 && /opt/tools/bin/pip --python /opt/sigmoid/bin/python install --quiet -r /build/runtime.txt \
 && find /opt/sigmoid -type d -name tests -prune -exec rm -rf {} + \
 && echo /app > "$(/opt/sigmoid/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/sigmoid.pth"

# SQLite before 3.51.3 can lose a commit when a checkpoint races it (sqlite.org/wal.html).
RUN /opt/sigmoid/bin/python -c "import sys; from pysqlite3 import sqlite_version_info as v; sys.exit(v < (3, 51, 3))"


# What is ours: sources, their metadata, and the kernels compiled from them. Numba keeps kernels by
# the sources' times, of which an image layer keeps whole seconds.
FROM dependencies AS builder

ENV PATH=/opt/sigmoid/bin:$PATH \
    NUMBA_CACHE_DIR=/app/kernels

WORKDIR /app
COPY --chmod=0755 scripts/container-start bin/sigmoid
COPY pyproject.toml README.md LICENSE ./
COPY core core
COPY migrations migrations
COPY service service
RUN /opt/tools/bin/python -c "import setuptools; setuptools.setup()" --quiet egg_info \
 && find . -exec touch --date=@1767225600 {} + \
 && python -m compileall -q core migrations service \
 && python -c "from core.training import warm; warm()"


FROM ${PYTHON_IMAGE}

LABEL org.opencontainers.image.title="Sigmoid" \
      org.opencontainers.image.description="Train a neural network from a table and serve it over HTTP." \
      org.opencontainers.image.licenses="Apache-2.0"

# Nothing that installs or builds stays within reach; the numeric user owns the data folder only.
RUN rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/lib/python3*/ensurepip /usr/local/bin/pip* \
 && install --directory --owner=10001 --group=10001 /data

COPY --from=dependencies /opt/sigmoid /opt/sigmoid
COPY --from=builder /app /app

# One thread for linear algebra: jobs run side by side. Few arenas: freed memory goes back.
ENV PATH=/app/bin:/opt/sigmoid/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OPENBLAS_NUM_THREADS=1 \
    MALLOC_ARENA_MAX=2 \
    MALLOC_TRIM_THRESHOLD_=100000 \
    SIGMOID_HOST=0.0.0.0 \
    SIGMOID_ALLOW_OPEN=true \
    SIGMOID_PORT=8000 \
    SIGMOID_DATA_DIR=/data \
    NUMBA_CACHE_DIR=/data/kernels

USER 10001:10001
WORKDIR /app
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['SIGMOID_PORT'] + '/livez', timeout=2)"]

ENTRYPOINT ["sigmoid"]
CMD ["serve"]
