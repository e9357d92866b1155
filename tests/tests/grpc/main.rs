//! gRPC and HTTP/2 with real software: calls of grpcio's client to its server, and of h2load to nginx, are replayed to
//! another such server and compared.

mod calls;
mod typed;
mod versions;
mod web;
