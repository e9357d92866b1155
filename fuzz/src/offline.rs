//! Files from other sources: captures, HAR, GoReplay's format, bundles. A file is read, or refused with an error that
//! names it; bodies are within their cap, nothing is complete without a response, and a bundle's rules parse or fail.

use std::{io::Cursor, path::Path, sync::Arc};

use shadow_agent::{
    config::Config,
    offline::{FeedState, open_reader},
};
use shadow_core::compare::Comparator;
use shadow_proto::{engine::Settings, exchange::Exchange, limits::Limits};

/// Most exchanges that are checked.
const ENOUGH: usize = 2_000;

/// Input: a file.
pub fn run(input: &[u8]) {
    let limits = Limits {
        body: 1 << 10,
        head: 4 << 10,
        ..Limits::default()
    };
    let cap = limits.body;
    let settings = Settings {
        limits,
        digest: true,
        fields: true,
    };
    let reader = Box::new(Cursor::new(input.to_vec()));
    let state = Arc::new(FeedState::default());
    let opened = match open_reader(Path::new("a.file"), reader, &settings, &state) {
        Err(error) => return assert!(error.to_string().contains("a.file"), "{error}"),
        Ok(opened) => opened,
    };
    if let Some(rules) = opened.rules.clone() {
        compiled(&rules);
    }
    let mut seen = 0;
    let ended = opened.read_all(&mut |exchange| {
        judge(&exchange, cap);
        seen += 1;
        seen < ENOUGH
    });
    if let Err(error) = ended {
        assert!(!error.to_string().is_empty());
    }
}

fn compiled(rules: &serde_json::Value) {
    let Ok(text) = serde_json::to_string(&serde_json::json!({ "compare": rules })) else {
        return;
    };
    // JSON is valid YAML.
    if let Ok(config) = Config::parse(Path::new("rules"), &text) {
        drop(Comparator::new(config.compare));
    }
}

fn judge(exchange: &Exchange, cap: usize) {
    assert!(exchange.request.body.kept.len() <= cap, "{exchange:?}");
    let Some(response) = &exchange.response else {
        return assert!(!exchange.is_complete(), "without an answer");
    };
    let body = &response.body;
    assert!(body.kept.len() <= cap, "{} bytes", body.kept.len());
    assert!(
        body.kept.len() as u64 <= body.len,
        "{} of {}",
        body.kept.len(),
        body.len
    );
    // Of an access log at most the length is known.
    let is_known = body.missing == 0 || body.len == 0;
    assert!(!exchange.is_complete() || is_known, "{} missing", body.missing);
}
