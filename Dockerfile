# The service, without training and checks. Built by compose.yaml; see docs/deployment.md.
FROM python:3.11.14-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt ./
# All that stands before training and checks.
RUN sed '/^# Training and conversion$/,$d' requirements.txt > /tmp/serving.txt \
    && pip install --requirement /tmp/serving.txt
COPY pyproject.toml README.md LICENSE ./
COPY backend backend
COPY ml_model ml_model
COPY frontend frontend
COPY deploy/healthy.py deploy/healthy.py
RUN pip install --no-deps --editable . \
    && python -m compileall -q backend ml_model

FROM python:3.11.14-slim-bookworm
RUN groupadd --gid 10001 medidiagnose \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin medidiagnose \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data
COPY --from=build /opt/venv /opt/venv
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    APP_ENV=production \
    HOST=0.0.0.0 \
    PORT=5000 \
    THREADS=auto \
    DATA_DIR=/data
USER 10001:10001
VOLUME /data
EXPOSE 5000
# /readyz: models are loaded, and it is not about to stop.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "deploy/healthy.py"]
CMD ["python", "backend/server.py"]
