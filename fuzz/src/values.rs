//! Learned values: after two answers that both systems made up, a request stays one request with one content, a
//! document stays a document, and what is remembered stays within its limits.

use core::time::Duration;

use shadow_core::{
    compare::ShadowResponse,
    gate::Writes,
    rewrite::{Marker, RewritePolicy, RewriteRules, Rewritten, ShadowRequest, rewrite},
    values::{TableLimits, Values},
};
use shadow_proto::{
    exchange::{Body, Exchange, Headers},
    testing,
    time::Timestamp,
};

/// Separator between the parts.
const BORDER: u8 = 0xff;

/// Rounds with the same values: what the first one teaches is used by the next.
const ROUNDS: u64 = 3;

/// Largest number and bytes of values that are remembered.
const LIMITS: TableLimits = TableLimits {
    entries: 16,
    bytes: 4096,
    ttl: Duration::from_mins(1),
};

/// Input: a target, a field value, the request's content, production's Location and content, the shadow system's
/// Location and content, each followed by the separator.
pub fn run(input: &[u8]) {
    let parts: Vec<&[u8]> = input.splitn(7, |byte| *byte == BORDER).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default();
    // A target with blanks or control characters is no request, and a value with a line feed no field.
    let graphic = part(0).iter().filter(|byte| byte.is_ascii_graphic());
    let target: String = graphic.map(|byte| char::from(*byte)).collect();
    let target = format!("/{target}");
    let line = |at: usize| -> Vec<u8> {
        part(at)
            .iter()
            .copied()
            .filter(|byte| !b"\r\n\0".contains(byte))
            .collect()
    };
    let collection = target[1..].find(['/', '?']).map_or(target.len(), |at| at + 1);
    let answer = (line(3), part(4));
    let exchange = |target: &str, value: &[u8], body| exchange(target, value, body, (&answer.0, answer.1));
    // The first one has no value that it could introduce; the second one has them.
    let created = exchange(&target[..collection], b"", b"{}");
    let asked = exchange(&target, &line(1), part(2));
    let shadow = ShadowResponse {
        status: 201,
        headers: fields(&line(5), part(6)),
        trailers: Headers::default(),
        body: Body::whole(part(6).to_vec()),
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    };
    let rules = RewriteRules::default();
    let policy = RewritePolicy::new(
        rules,
        "shadow",
        &Marker::default(),
        Writes::Replay.into(),
        [0; 32],
    );
    let policy = policy.expect("the defaults are rules");
    let mut values = Values::new(LIMITS);
    for round in 0..ROUNDS {
        let now = Timestamp::from_nanos(round + 1);
        for exchange in [&created, &asked] {
            replay(&mut values, exchange, &shadow, &policy, now);
        }
        let (entries, bytes) = values.size();
        assert!(
            entries <= LIMITS.entries && bytes <= LIMITS.bytes,
            "{entries} {bytes}"
        );
    }
}

/// One exchange as the agent replays it.
fn replay(
    values: &mut Values,
    exchange: &Exchange,
    shadow: &ShadowResponse,
    policy: &RewritePolicy,
    now: Timestamp,
) {
    values.carried(exchange);
    let introduced = values.introduced(exchange, now);
    let Ok(Rewritten::Send(sent)) = rewrite(exchange, policy) else {
        return;
    };
    let mut made = sent.clone();
    if values.substitute(&mut made, now).is_ok() {
        is_a_request(&sent, &made);
    }
    let mapped = values.answered(exchange, &introduced, shadow, now);
    if let Some(answer) = mapped.answer {
        let (old, new) = (&shadow.body.kept, &answer.body.kept);
        assert_eq!(is_json(old), is_json(new), "a document stays one: {new:?}");
        assert!(tags(old) >= tags(new), "{new:?}");
        assert_eq!(shadow.headers.len(), answer.headers.len());
    }
}

/// The same fields and framing, a target without blanks, values without line ends, and a document where it was one.
fn is_a_request(sent: &ShadowRequest, made: &ShadowRequest) {
    assert_eq!(sent.method, made.method);
    assert!(made.target.iter().all(u8::is_ascii_graphic), "{:?}", made.target);
    assert_eq!(sent.headers.len(), made.headers.len());
    for ((old, _), (name, value)) in sent.headers.iter().zip(&made.headers) {
        assert_eq!(old, name);
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)), "{value:?}");
        if name.eq_ignore_ascii_case(b"content-length") {
            assert_eq!(value, made.body.len().to_string().as_bytes());
        }
    }
    assert_eq!(is_json(&sent.body), is_json(&made.body), "{:?}", made.body);
    assert!(tags(&sent.body) >= tags(&made.body), "{:?}", made.body);
}

/// Bytes that may begin a tag in a document of HTML or XML. One in a value is written as a reference, so there may be
/// fewer.
fn tags(text: &[u8]) -> usize {
    let is_markup = media_type(text) != b"application/json";
    text.iter().filter(|byte| is_markup && **byte == b'<').count()
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(text).is_ok()
}

/// Content that begins with `<` is HTML, or XML.
fn media_type(content: &[u8]) -> &'static [u8] {
    match content {
        [b'<', b'?' | b'o', ..] => b"application/xml",
        [b'<', ..] => b"text/html",
        _ => b"application/json",
    }
}

fn fields(location: &[u8], content: &[u8]) -> Headers {
    let fields = [("Location", location), ("Content-Type", media_type(content))];
    Headers::from_pairs(fields)
}

fn exchange(target: &str, value: &[u8], body: &[u8], (location, answer): (&[u8], &[u8])) -> Exchange {
    let length = body.len().to_string();
    let request: [(&str, &[u8]); 6] = [
        ("Host", b"shop.example"),
        ("Content-Type", media_type(body)),
        ("Content-Length", length.as_bytes()),
        ("Authorization", value),
        ("Cookie", value),
        ("If-Match", value),
    ];
    let mut exchange = testing::exchange("POST", target);
    exchange.request.headers = Headers::from_pairs(request);
    exchange.request.body = Body::whole(body.to_vec());
    let response = exchange.response.as_mut().expect("an answer");
    (response.status, response.headers) = (201, fields(location, answer));
    response.body = Body::whole(answer.to_vec());
    exchange
}
