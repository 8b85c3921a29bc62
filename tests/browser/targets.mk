# The dashboard in a real Chromium; the Makefile includes this file.
browser: setup ## click through the dashboard in a real Chromium at three widths (Debian: apt-get install chromium)
	@$(PY) -m pytest -q -n 2 tests/browser

screenshots: setup ## regenerate docs/images/*.png from the running product
	@$(PY) tests/browser/screenshots.py

.PHONY: browser screenshots
