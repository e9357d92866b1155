// Calls the shop in both protocols and both formats; prints how many calls were made of each method.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";

const [server, rounds, set] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(set)));
const shop = registry.getService("shop.Shop");
const common = { baseUrl: `http://${server}`, httpVersion: "1.1" };
const transports = {
  web: createGrpcWebTransport({ ...common, useBinaryFormat: true }),
  web_json: createGrpcWebTransport({ ...common, useBinaryFormat: false }),
  connect: createConnectTransport({ ...common, useBinaryFormat: true }),
  connect_json: createConnectTransport({ ...common, useBinaryFormat: false }),
  connect_get: createConnectTransport({ ...common, useHttpGet: true }),
};
const counts = {};
const count = (name) => { counts[name] = (counts[name] ?? 0) + 1; };

for (const [name, transport] of Object.entries(transports)) {
  const client = createClient(shop, transport);
  for (let number = 1; number <= Number(rounds); number++) {
    for (const method of ["get", "list", "put"]) {
      count(`${name}_${method}`);
      try {
        if (method === "list") for await (const _ of client.list({ number }));
        else if (method === "put") await client.put({ items: [{ sku: "tea" }] });
        else await client.get({ number });
      } catch (error) {
        if (number % 5 !== 0) throw error;
      }
    }
  }
}
console.log(Object.entries(counts).map(([name, made]) => `${name}=${made}`).join(" "));
process.exit(0);
