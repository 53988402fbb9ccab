# The app in a container: docker build -t rmt-viz . && docker run --rm -p 127.0.0.1:8501:8501 rmt-viz
FROM python:3.11-slim-bookworm

ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 OMP_NUM_THREADS=1 \
    RMT_VIZ_RUNS=/home/viewer/runs RMT_VIZ_ROOT=/home/viewer/models HF_HUB_OFFLINE=1

# 1000 is the user that Hugging Face Spaces run a container as.
RUN useradd --create-home --uid 1000 viewer && mkdir -p /home/viewer/runs /home/viewer/models \
    && chown -R viewer:viewer /home/viewer
WORKDIR /app
COPY requirements.txt requirements.lock ./
RUN pip install pip==26.3 && pip install --no-deps "$(grep ^torch== requirements.txt)" \
    && pip install -c requirements.lock -r requirements.txt
COPY app.py frame.py ./
COPY .streamlit .streamlit
COPY rmt rmt
COPY rmt_viz rmt_viz
COPY assets assets

USER 1000
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]
CMD ["streamlit", "run", "app.py", "--server.address", "0.0.0.0", "--server.port", "8501", "--server.headless", "true"]
