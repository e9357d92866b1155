"""Browses pages and records them: browse.py ARCHIVE BASE PAGE..."""

import sys

from playwright.sync_api import Error, sync_playwright

# The browser asks whether its copy is still right, and does not decide by the time that has passed.
FETCH = """async () => {
  await (await fetch('/1k.json?from=script', {cache: 'no-cache'})).text();
  await (await fetch('/read', {method: 'POST', body: new URLSearchParams({a: '1', b: '\\u00e9'})})).text();
}"""

archive, base, *pages = sys.argv[1:]
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ],
    )
    context = browser.new_context(record_har_path=archive)
    page = context.new_page()
    for name in pages:
        try:
            page.goto(f"{base}/{name}")
        except Error as error:
            sys.exit(f"{name}: {error}")
        page.evaluate(FETCH)
    context.close()
    browser.close()
