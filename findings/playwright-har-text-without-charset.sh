#!/usr/bin/env bash
# Software:  playwright-core 1.65.1 (npm) recording a HAR with Debian 12's Chromium 156.
# Behaviour: an answer of `text/plain` without charset whose bytes are UTF-8 is saved as text that was decoded as
#            windows-1252, with no `encoding`; `content.size` is the length of that text in UTF-8, not of the body.
# One would guess otherwise: the page's own fetch().text() reads the same answer correctly, JSON without charset is
#            saved correctly, the format has base64 for what is not surely text, and `size` is meant to be the length
#            of the content.
# Seen:      5 bytes sent (35 20 e2 82 ac); saved as "5 \u00e2\u201a\u00ac" with size 9 and bodySize 5. The same bytes
#            with charset=utf-8, or as application/json: saved as "5 \u20ac" with size 5.
# Date:      2026-11-29
# So, for a passive observer/replayer: comparing recorded text with bytes from the wire finds a difference that never
#            was, and a replayed stub is longer than the original. The Content-Length field (or `bodySize`) is the
#            only true size in the entry (where there is no content coding). Where encoding the text as windows-1252
#            gives that many bytes, and they are UTF-8, these are the body.
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

const body = Buffer.from('5 \u20ac', 'utf8');
const types = { '/bare': 'text/plain', '/declared': 'text/plain; charset=utf-8', '/json': 'application/json' };
const server = http.createServer((request, response) => {
  const type = types[request.url];
  const sent = type ? body : Buffer.from('<!doctype html><title>t</title>');
  response.writeHead(200, { 'content-type': type || 'text/html; charset=utf-8', 'content-length': sent.length });
  response.end(sent);
});

server.listen(0, '127.0.0.1', async () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
  });
  const context = await browser.newContext({ recordHar: { path: 'out.har', content: 'embed' } });
  const page = await context.newPage();
  await page.goto(origin + '/');
  const read = await page.evaluate(async (paths) => {
    const texts = {};
    for (const path of paths) texts[path] = await (await fetch(path)).text();
    return texts;
  }, Object.keys(types));
  await context.close();
  console.log(`Chromium ${browser.version()}, ${body.length} bytes sent: ${body.toString('hex')}`);
  await browser.close();
  server.close();

  const entries = JSON.parse(fs.readFileSync('out.har', 'utf8')).log.entries;
  const saved = {};
  for (const path of Object.keys(types)) {
    const { response } = entries.find((entry) => entry.request.url === origin + path);
    const { text, encoding, size } = response.content;
    const length = Number(response.headers.find((field) => field.name.toLowerCase() === 'content-length').value);
    saved[path] = { page: read[path], text, encoding, size, bodySize: response.bodySize, length };
    console.log(types[path].padEnd(26), JSON.stringify(saved[path]));
  }
  // The three bytes of the euro sign as windows-1252; ISO 8859-1 would give U+0082 in the middle.
  const wrong = '5 \u00e2\u201a\u00ac';
  const { '/bare': bare, '/declared': declared } = saved;
  const holds = bare.page === body.toString() && bare.text === wrong && bare.encoding === undefined &&
    bare.size === Buffer.byteLength(wrong) && bare.length === body.length &&
    declared.text === body.toString() && declared.size === body.length;
  if (!holds) { console.log('CHANGED'); process.exitCode = 1; }
});
JS
timeout 120 node record.js
