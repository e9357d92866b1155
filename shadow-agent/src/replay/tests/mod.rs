//! The client against raw TCP servers on loopback: the bytes on the wire, and the name of each kind of failure.

mod failures;
mod h2;
mod hostile;
mod live;
mod reuse;
mod server;
mod wire;

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use shadow_core::{
    compare::{Failure, Outcome, ShadowResponse},
    rewrite::ShadowRequest,
};
use shadow_proto::{exchange::Version, limits::Limits};

use super::{HttpShadow, ReplaySettings, Shadow as _, Target};

/// Bytes of a body that the tests keep.
const KEPT: usize = 64 << 10;

fn limits() -> Limits {
    Limits {
        body: KEPT,
        ..Limits::default()
    }
}

fn settings() -> ReplaySettings {
    ReplaySettings {
        timeout: Duration::from_secs(5),
        ..ReplaySettings::default()
    }
}

fn client(address: SocketAddr, settings: ReplaySettings) -> HttpShadow {
    HttpShadow::new(Target::at(address), None, limits(), settings.into()).unwrap()
}

fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> ShadowRequest {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    ShadowRequest {
        method: bytes(method),
        target: bytes(target),
        version: Version::Http11,
        headers: headers
            .iter()
            .map(|(name, value)| (bytes(name), bytes(value)))
            .collect(),
        body: Bytes::copy_from_slice(body),
        trailers: Vec::new(),
        is_repeatable: method != "POST",
        is_first: false,
    }
}

pub(super) fn get() -> ShadowRequest {
    request("GET", "/", &[("Host", "production.example")], b"")
}

async fn answer(client: &HttpShadow, request: &ShadowRequest) -> Outcome {
    client.answer(client.prepare(request).unwrap()).await.outcome
}

async fn response(client: &HttpShadow, request: &ShadowRequest) -> ShadowResponse {
    match answer(client, request).await {
        Outcome::Response(response) => response,
        Outcome::Failed(failure) => panic!("no response: {failure}"),
    }
}

async fn failure(client: &HttpShadow, request: &ShadowRequest) -> Failure {
    match answer(client, request).await {
        Outcome::Response(response) => panic!("a response: {response:?}"),
        Outcome::Failed(failure) => failure,
    }
}
