"""gunicorn behind nginx: `gunicorn -c backend/gunicorn.conf.py "backend.wsgi:application()"`.

Address, port and threads are those of the environment, as for backend/server.py (docs/api.md, Settings).
"""

from backend.config import Config

_settings = Config.from_env()
_host = f"[{_settings.host}]" if ":" in _settings.host else _settings.host

bind = f"{_host}:{_settings.port}"
# One process: heatmaps, signals and histories are kept in its memory. Models compute on all cores from any thread.
workers = 1
worker_class = "gthread"
threads = _settings.threads
graceful_timeout = 30  # seconds for what is under way when it is told to stop
forwarded_allow_ips = ""  # whose word counts is TRUSTED_PROXIES' alone, see backend/wsgi.py
control_socket_disable = True  # nothing but HTTP is listened for
