// The shop over HTTP/1.1 in the protocols of the web, gRPC-Web and Connect: connect-node with the set of descriptors.
// With "other" some answers differ.
import { readFileSync } from "node:fs";
import http from "node:http";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";

const [host, port, set, ...words] = process.argv.slice(2);
const other = words.includes("other");
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(set)));
const item = registry.getMessage("shop.Item");

function refuse(number) {
  if (number % 5 === 0) {
    const details = [{ desc: item, value: { sku: other ? "pot" : "tea" } }];
    throw new ConnectError(`no cart ${number}`, other && number % 10 === 0 ? Code.Internal : Code.NotFound,
      { "x-hint": "try another" }, details);
  }
}

const shop = {
  get({ number }) {
    refuse(number);
    const items = [{ sku: "tea", unitPrice: 500n, tags: ["new"] }, { sku: "pot", unitPrice: other ? 2501n : 2500n }];
    // Every fourth answer is so large that it is compressed.
    for (let at = 0; number % 4 === 0 && at < 100; at++) items.push({ sku: `sku-${at}`, unitPrice: BigInt(at) });
    return { cartId: `c${number}`, items, state: 2, weight: 2.5, deltas: [-1, 0, 7], serial: 1n << 63n };
  },
  async *list({ number }) {
    for (let at = 0; at < 2; at++) yield { sku: `sku-${at}`, unitPrice: BigInt(at), stock: other ? 1 : 0 };
    refuse(number);
  },
  peek: ({ number }) => ({ number }),
  put: ({ items }) => ({ number: items.length }),
};

const routes = (router) => router.service(registry.getService("shop.Shop"), shop);
http.createServer(connectNodeAdapter({ routes })).listen(Number(port), host, () => console.log("ready"));
