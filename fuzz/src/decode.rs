//! Content codings: for any field and body, a response is compared within the caps, and equals itself. What the shadow
//! system may send in place of production's answer, production may send in place of the shadow system's.

use shadow_core::compare::{Category, Comparator, Rules, Side};
use shadow_proto::exchange::{Body, Headers, Request, Version};

const CODINGS: [&str; 9] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "x-gzip,deflate , zstd",
    "br, br, br, br, br",
    "identity, unknown",
    "none, gzip",
];

/// Input: a byte for the coding, and the body.
pub fn run(input: &[u8]) {
    let Some((coding, body)) = input.split_first() else {
        return;
    };
    let rules = Rules {
        decoded: 1 << 16,
        ..Rules::default()
    };
    let comparator = Comparator::new(rules).expect("the defaults are rules");
    let coding = CODINGS[usize::from(*coding) % CODINGS.len()];
    let coded = Headers::from_pairs([("Content-Encoding", coding), ("Content-Type", "text/plain")]);
    let plain = Headers::from_pairs([("Content-Type", "text/plain")]);
    let body = Body::whole(body.to_vec());
    let other = Body::whole(&b"other"[..]);
    let side = |headers, body| Side {
        status: 200,
        headers,
        trailers: Headers::none(),
        body,
    };
    let request = request();
    let same = comparator.compare(&request, side(&coded, &body), side(&coded, &body));
    assert!(same.is_empty(), "{coding}: {same:?}");
    let one = comparator.compare(&request, side(&coded, &body), side(&plain, &other));
    let two = comparator.compare(&request, side(&plain, &other), side(&coded, &body));
    // Production's content is read leniently where its coding cannot be removed, the shadow system's is not.
    let leniently = one.is_empty() && two.iter().all(|found| found.category == Category::Decode);
    assert!(leniently || one.is_empty() == two.is_empty(), "{one:?} {two:?}");
}

/// `GET /`.
pub(crate) fn request() -> Request {
    Request {
        method: "GET".into(),
        target: "/".into(),
        version: Version::Http11,
        headers: Headers::default(),
        body: Body::default(),
        trailers: Headers::default(),
    }
}
