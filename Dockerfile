# syntax=docker/dockerfile:1
# The Python that the tests run on; another from 3.11 on: --build-arg PYTHON=3.13
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
RUN python -m venv /opt/venv
COPY requirements.txt /build/
RUN /opt/venv/bin/pip install --require-hashes --only-binary=:all: -r /build/requirements.txt
WORKDIR /app
COPY pyproject.toml README.md ./
COPY relay/ relay/
# Editable: the migrations lie beside the package, not in it.
RUN /opt/venv/bin/pip install --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q relay

FROM python:${PYTHON}-slim
RUN useradd --system --uid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin relay
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
COPY celery_app.py /app/
COPY migrations/ /app/migrations/
ENV PATH=/opt/venv/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
WORKDIR /app
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["relay"]
CMD ["web", "--host", "0.0.0.0"]
