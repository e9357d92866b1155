#!/usr/bin/env bash
# Software:  playwright-core 1.65.1 (npm) recording a HAR with Debian 12's Chromium 156.
# Behaviour: a request that the browser's cache answers is an entry like any other: status 200, the content, a server
#            address, a wait of a fraction of a millisecond, and an empty `cache` object. Its `bodySize` is negative,
#            but not -1 (nothing received, minus a head that was never sent). And where the server answered 304, the
#            entry says 200 and has the cached content.
# One would guess otherwise: a HAR is the log of what was exchanged, HAR 1.2 has `cache` for it, bodySize 0 for a
#            cached answer and -1 for "not available", and 304 is a status of its own in it.
# Seen:      the page fetches /cached (max-age) three times, /etag (no-cache) twice. The server got 1 and 2 requests
#            and answered the last with 304. Entries: 3 and 2, all with status 200 and content; bodySize -116 in two.
# Source:    github.com/microsoft/playwright/issues/27573 (304 is 200), issues/15132 (whether from the cache is not
#            told). HAR 1.2 on bodySize: "zero in case of responses coming from the cache (304)".
# Date:      2026-11-30
# So, for a tool that replays a HAR: it sends requests that production never got, with fewer fields (those of the page,
#            not those of the wire), and compares a 200 with the 304 that a conditional request rightly gets. Leave out
#            entries with a bodySize below -1, and take the 200 of a conditional request with bodySize 0 for a 304.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
[[ -x /usr/bin/chromium ]] || apt-get -o DPkg::Lock::Timeout=300 install -y chromium >/dev/null
cd "$tmp"
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" playwright-core@1.65.1 >/dev/null

cat >record.js <<'JS'
const fs = require('fs');
const http = require('http');
const { chromium } = require('playwright-core');

const json = { 'content-type': 'application/json' };
const served = [];
const server = http.createServer((request, response) => {
  const { url, headers } = request;
  let status = 200;
  let fields = { 'content-type': 'text/html; charset=utf-8' };
  if (url === '/cached') fields = { ...json, 'cache-control': 'max-age=600' };
  if (url === '/etag') fields = { ...json, 'cache-control': 'no-cache', etag: '"v1"' };
  if (url === '/etag' && headers['if-none-match'] === '"v1"') status = 304;
  served.push([url, status]);
  response.writeHead(status, fields);
  response.end(status === 304 ? undefined : url === '/' ? '<!doctype html><title>t</title>' : '{"stock": 3}');
});

server.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const context = await browser.newContext({ recordHar: { path: 'out.har' } });
  const page = await context.newPage();
  await page.goto(origin + '/');
  for (const path of ['/cached', '/cached', '/cached', '/etag', '/etag']) {
    await page.evaluate(async (url) => (await fetch(url)).text(), path);
  }
  await context.close();
  console.log(`Chromium ${browser.version()}`);
  await browser.close();
  server.close();

  const entries = JSON.parse(fs.readFileSync('out.har', 'utf8')).log.entries;
  let holds = true;
  for (const [path, sent] of [['/cached', [200]], ['/etag', [200, 304]]]) {
    const statuses = served.filter(([url]) => url === path).map(([, status]) => status);
    const recorded = entries.filter((entry) => entry.request.url === origin + path);
    console.log(`${path}: answers of the server ${statuses.join(' ')}; entries in the HAR:`);
    for (const { request, response, cache, timings } of recorded) {
      const { status, bodySize, content } = response;
      const shown = { status, text: content.text, bodySize, cache, fields: request.headers.length, wait: timings.wait };
      console.log('   ', JSON.stringify(shown));
    }
    holds = holds && String(statuses) === String(sent) && recorded.every(({ response }) => response.status === 200) &&
      recorded.every(({ response, cache }) => response.content.text === '{"stock": 3}' && !Object.keys(cache).length);
    const below = recorded.map(({ response }) => response.bodySize < -1);
    holds = holds && String(below) === (path === '/cached' ? 'false,true,true' : 'false,false');
  }
  if (!holds) { console.log('CHANGED'); process.exitCode = 1; }
});
JS
timeout 120 node record.js
echo 'PASS: the HAR has requests that were not sent, and a 200 that was a 304'
