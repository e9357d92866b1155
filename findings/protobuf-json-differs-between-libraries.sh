#!/usr/bin/env bash
# Software:  protobuf 6.33.6 (PyPI, json_format) and protobufjs 7.5.4 (npm, toJSON), reading the same bytes of one
#            message.
# Behaviour: the two JSON texts differ in nearly each type that is not a string: a float of 48 * 2^20 is 50331650.0 in
#            the first, another number than in the message; 0.1 is 0.10000000149011612 in the second; a Timestamp is a
#            string or an object with seconds and nanos; an Int32Value of 0 is 0 or {}; -0 is -0.0 or 0.
# One would guess otherwise: proto3 has a canonical JSON mapping, both call theirs JSON, and an integer that a float
#            holds exactly (below 2^26, a power of two times three) is written as it is.
# Seen:      protobuf: 0.1, 50331650.0, "2026-01-01T00:00:00.500Z", "1.500s", 0, -0.0. protobufjs: 0.10000000149011612,
#            50331648, {"seconds":"1767225600","nanos":500000000}, {"seconds":"1","nanos":500000000}, {}, 0. Equal:
#            int64 as a string, bytes, enum, "NaN".
# Source:    protobuf's documentation, "ProtoJSON Format". Python's json_format writes the shortest text that reads
#            back as the same float, with 8 digits at most; protobufjs says that of the well-known types its toJSON
#            knows Any only.
# Date:      2026-11-30
# So, for a tool that compares a gateway's JSON: the same service behind another gateway differs in numbers although
#            each is right for a float. Compare numbers as floats of 32 bits where the type is not known to be double
#            (a relative difference below 6e-8 is none), and times by what they mean. Better: compare the protobuf
#            bytes, field by field.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    apt-get -o DPkg::Lock::Timeout=300 install -y nodejs npm >/dev/null
fi
npm install --silent --no-audit --no-fund --no-save --prefix "$tmp" protobufjs@7.5.4 >/dev/null
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet protobuf==6.33.6
cat >"$tmp/read.js" <<'JS'
const protobuf = require('protobufjs');
const fields = process.argv[3].split(';').map((field) => `${field};`).join('\n');
const names = ['timestamp', 'duration', 'wrappers'].map((name) => `google/protobuf/${name}.proto`);
const imports = names.map((name) => `import "${name}";`).join('\n');
const kind = 'enum Kind { NONE = 0; ONE = 1; }';
const { root } = protobuf.parse(`syntax = "proto3";\n${imports}\n${kind}\nmessage Item {\n${fields}\n}`);
for (const name of names) root.addJSON(protobuf.common.get(name).nested);
console.log(JSON.stringify(root.lookupType('Item').decode(Buffer.from(process.argv[2], 'hex'))));
JS
cat >"$tmp/mapping.py" <<'PY'
import json
import subprocess
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, json_format, message_factory
from google.protobuf import timestamp_pb2, wrappers_pb2

FIELDS = {
    "tenth": "float",
    "large": "float",
    "minus": "double",
    "nan": "double",
    "count": "int64",
    "raw": "bytes",
    "kind": "Kind",
    "time": "google.protobuf.Timestamp",
    "span": "google.protobuf.Duration",
    "wrapped": "google.protobuf.Int32Value",
}
Field = descriptor_pb2.FieldDescriptorProto
imports = [module.DESCRIPTOR.name for module in (timestamp_pb2, duration_pb2, wrappers_pb2)]
file = descriptor_pb2.FileDescriptorProto(name="item.proto", syntax="proto3", dependency=imports)
kind = file.enum_type.add(name="Kind")
kind.value.add(name="NONE", number=0)
kind.value.add(name="ONE", number=1)
item = file.message_type.add(name="Item")
for number, (name, text) in enumerate(FIELDS.items(), 1):
    field = item.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
    if "." in text:
        field.type, field.type_name = Field.TYPE_MESSAGE, f".{text}"
    elif text == "Kind":
        field.type, field.type_name = Field.TYPE_ENUM, ".Kind"
    else:
        field.type = Field.Type.Value(f"TYPE_{text.upper()}")
pool = descriptor_pool.Default()
pool.Add(file)
message = message_factory.GetMessageClass(pool.FindMessageTypeByName("Item"))(
    tenth=0.1, large=48 * 2**20, minus=-0.0, nan=float("nan"), count=2**53 + 1, raw=b"\xfb\xff", kind=1
)
message.time.FromJsonString("2026-01-01T00:00:00.5Z")
message.span.FromJsonString("1.5s")
message.wrapped.value = 0
declared = ";".join(f"{text} {name} = {number}" for number, (name, text) in enumerate(FIELDS.items(), 1))
command = ["node", sys.argv[1], message.SerializeToString().hex(), declared]
texts = [
    json_format.MessageToJson(message, indent=None),
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout,
]
first, second = (json.loads(text, parse_float=str, parse_int=str) for text in texts)
for name in FIELDS:
    print(f"{name:8} protobuf {first[name]!r:28} protobufjs {second[name]!r}")
half = {"nanos": "500000000"}
expected = {
    "tenth": ("0.1", "0.10000000149011612"),
    "large": ("50331650.0", "50331648"),
    "minus": ("-0.0", "0"),
    "time": ("2026-01-01T00:00:00.500Z", {"seconds": "1767225600"} | half),
    "span": ("1.500s", {"seconds": "1"} | half),
    "wrapped": ("0", {}),
}
different = {name: (first[name], second[name]) for name in FIELDS if first[name] != second[name]}
sys.exit(0 if message.large == 50331648 and different == expected else f"CHANGED: {different}")
PY
(cd "$tmp" && timeout -s INT -k 10 60 "$tmp/venv/bin/python" mapping.py "$tmp/read.js")
echo 'PASS: one message, two JSON texts'
