#!/usr/bin/env bash
# Software:  Polly.JS 6.0.6 (npm: @pollyjs/core, adapter-node-http, persister-fs), on Node 20.
# Behaviour: its recordings are HTTP Archives, in which `encoding: base64` means two things. An answer with a content
#            coding is saved as a JSON array, as text, with each chunk that arrived in base64 of its own, still coded.
#            A binary answer without one is plain base64; if it came in chunks, `content.size` is the length of that
#            text. A request with binary content has `postData` with a type and neither text nor parameters, and
#            `bodySize` 0.
# One would guess otherwise: in HAR 1.2 the text of a content with this encoding is one piece of base64, the content
#            coding is removed, and size is the length of the content. One recorder would use one form.
# Seen:      gzip, two chunks: text ["H4s...", "..."], whose members decode to the sent bytes. Node's decoder, which
#            passes over foreign characters, finds other bytes. 6 bytes of application/octet-stream in a chunk: size 8.
#            POST of 3 bytes: bodySize 0, no text.
# Date:      2026-11-30
# So, for a replayer: a text in base64 that begins with a bracket is no base64. Refuse what a strict decoder refuses.
#            `postData` without a text is content that was lost, not a request without content: that one has no
#            `postData` here.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
node --version | grep '^v20\.' || { echo 'this finding is about Node 20'; exit 2; }
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" @pollyjs/core@6.0.6 \
    @pollyjs/adapter-node-http@6.0.6 @pollyjs/persister-fs@6.0.6 >/dev/null

cat >"$tmp/record.cjs" <<'JS'
const assert = require('assert'), fs = require('fs'), http = require('http'), zlib = require('zlib');
const { Polly } = require('@pollyjs/core');
Polly.register(require('@pollyjs/adapter-node-http'));
Polly.register(require('@pollyjs/persister-fs'));

const coded = zlib.gzipSync(JSON.stringify({ order: 17, items: ['bread', 'milk'] }));
const binary = Buffer.from([0, 255, 254, 1, 2, 3]);
const pause = () => new Promise(done => setTimeout(done, 100));

const server = http.createServer(async (request, response) => {
    request.resume();
    if (request.url === '/coded') {
        response.setHeader('content-type', 'application/json');
        response.setHeader('content-encoding', 'gzip');
        response.write(coded.subarray(0, 20));
        await pause();
        response.end(coded.subarray(20));
    } else {
        response.setHeader('content-type', 'application/octet-stream');
        response.write(binary);
        response.end();
    }
});

const ask = (port, path, method, content) => new Promise((done, failed) => {
    const request = http.request({ port, path, method }, response => {
        const chunks = [];
        response.on('data', chunk => chunks.push(chunk));
        response.on('end', () => done(Buffer.concat(chunks)));
    });
    request.on('error', failed);
    request.end(content);
});

server.listen(0, '127.0.0.1', async () => {
    const { port } = server.address();
    const polly = new Polly('shop', {
        adapters: ['node-http'],
        persister: 'fs',
        persisterOptions: { fs: { recordingsDir: process.argv[2] } },
        logLevel: 'silent',
    });
    assert(coded.equals(await ask(port, '/coded', 'GET')));
    assert(binary.equals(await ask(port, '/binary', 'GET')));
    await ask(port, '/upload', 'POST', Buffer.from([0, 255, 1]));
    await ask(port, '/empty', 'POST');
    await polly.stop();
    server.close();

    const [folder] = fs.readdirSync(process.argv[2]);
    const { log } = JSON.parse(fs.readFileSync(`${process.argv[2]}/${folder}/recording.har`));
    console.log(log.creator.name, log.creator.version);
    const [first, second, upload, empty] = log.entries;
    console.log('gzip   ', JSON.stringify(first.response.content));
    console.log('binary ', JSON.stringify(second.response.content));
    console.log('upload ', JSON.stringify(upload.request.postData), 'bodySize', upload.request.bodySize);
    console.log('empty  ', JSON.stringify(empty.request.postData), 'bodySize', empty.request.bodySize);
    const lenient = Buffer.from(first.response.content.text, 'base64');
    console.log(`a lenient decoder finds the ${coded.length} bytes of gzip:`, lenient.equals(coded));

    const pieces = JSON.parse(first.response.content.text);
    const { text, size, encoding } = second.response.content;
    const holds = pieces.length === 2 && first.response.content.encoding === 'base64'
        && Buffer.concat(pieces.map(piece => Buffer.from(piece, 'base64'))).equals(coded)
        && !lenient.equals(coded)
        && encoding === 'base64' && Buffer.from(text, 'base64').equals(binary) && size === text.length
        && upload.request.bodySize === 0 && upload.request.postData.text === undefined
        && upload.request.postData.mimeType === 'text/plain' && empty.request.postData === undefined;
    if (!holds) console.log('CHANGED');
    process.exit(holds ? 0 : 1);
});
JS
NODE_PATH=$tmp/node_modules timeout 120 node "$tmp/record.cjs" "$tmp/recordings"
