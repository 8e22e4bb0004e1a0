# Takes what TF Serving's image takes: models under /models, MODEL_NAME, further flags as arguments.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY batching ./batching
COPY gateway ./gateway
# pip compiles to bytecode, which the server's user could not store.
RUN python -m venv /opt/tensorgate \
    && /opt/tensorgate/bin/pip install --no-cache-dir --constraint constraints.txt .

FROM python:3.12-slim
RUN useradd --uid 10001 --user-group --create-home tensorgate \
    && install --directory --owner tensorgate --group tensorgate /models
COPY --from=build /opt/tensorgate /opt/tensorgate
ENV PATH=/opt/tensorgate/bin:$PATH \
    MODEL_NAME=model \
    MODEL_BASE_PATH=/models \
    GATEWAY_HOST=0.0.0.0
# By number: Kubernetes cannot tell from a name that a user is not root.
USER 10001:10001
WORKDIR /home/tensorgate
EXPOSE 8500 8501
STOPSIGNAL SIGTERM
# Of the port in GATEWAY_REST_API_PORT: with --rest_api_port or TLS, give the container a check of
# its own. Never through a proxy.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5m \
    CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ.get('GATEWAY_REST_API_PORT', '8501') + '/livez', timeout=2)"]
ENTRYPOINT ["tensorgate"]
CMD ["serve"]
