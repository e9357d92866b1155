//! Faults that are planted into a copy of an answer, to measure whether the comparison would have found them.
//!
//! Owns: the kinds of faults, and one fault of a kind in an answer. A planted answer is never sent and never counted
//! as an answer. Pure and deterministic: the same answer and the same seed give the same fault.
//! Bounds: content of [`MAX_CONTENT`] bytes; the parser's bounds for JSON. An answer in which a kind of fault is not
//! possible gets none.

mod json;
mod messages;
mod text;

use core::time::Duration;

use bytes::Bytes;
use prost_reflect::MessageDescriptor;
use shadow_proto::exchange::{Body, Exchange, Headers};

use crate::compare::{
    Category, Comparator, Discrepancy, ShadowResponse, Side, grpc,
    media::{self, Kind},
};

/// Largest content into which a fault is planted.
pub const MAX_CONTENT: usize = 256 << 10;

shadow_proto::catalogue! {
    /// The kind of a planted fault.
    Planted {
        /// A value is replaced by another of its kind.
        Value = "value",
        /// A number is off by 1, or by 1 %.
        Near = "near",
        /// A value is null, or empty where there is no null.
        Null = "null",
        /// A value has another type.
        Type = "type",
        /// A member has another name.
        Renamed = "renamed",
        /// An element, a member or a line is missing.
        Lost = "lost",
        /// An element or a line is there twice.
        Duplicated = "duplicated",
        /// Two elements or lines have changed places.
        Swapped = "swapped",
        /// The status is another one.
        Status = "status",
        /// A header field has another value.
        Header = "header",
        /// The content ends too early.
        Truncated = "truncated",
        /// The content is that of another exchange.
        Other = "other_body",
    }
}

/// An answer with one fault.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The answer.
    pub answer: ShadowResponse,
    /// The place of the fault.
    pub place: String,
}

/// A pseudo-random sequence (splitmix64, Steele et al. 2014).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 if that is 0.
    fn below(&mut self, end: usize) -> usize {
        let end = end as u64;
        self.next()
            .checked_rem(end)
            .and_then(|number| usize::try_from(number).ok())
            .unwrap_or_default()
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> Option<&'t T> {
        from.get(self.below(from.len()))
    }
}

/// A fault, and the differences by which a comparison would show it.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its kind.
    pub kind: Planted,
    /// Its place.
    pub place: String,
    /// The differences that the answers without the fault do not have.
    pub found: Vec<Discrepancy>,
}

/// Plants a fault into the shadow system's answer and compares again. `None` if that kind of fault is not possible.
pub fn compare_again(
    comparator: &Comparator,
    exchange: &Exchange,
    shadow: &ShadowResponse,
    (kind, other, seed): (Planted, Option<&[u8]>, u64),
) -> Option<Tried> {
    let production = Side::from(exchange.response.as_ref()?);
    let is_whole = shadow.body.is_whole() && production.body.is_whole();
    let of_head = matches!(kind, Planted::Status | Planted::Header);
    if !is_whole || !of_head && exchange.request.method.eq_ignore_ascii_case(b"HEAD") {
        return None;
    }
    let content = comparator.decoded(shadow.into()).ok()?;
    let of = comparator.rules().answer_type(&exchange.request);
    let Fault { answer, place } = plant(kind, shadow, (&content, other), of, seed)?;
    let request = &exchange.request;
    let before = comparator.compare_aside(request, production, shadow.into());
    let mut found = comparator.compare_aside(request, production, Side::from(&answer));
    // That there are more differences than are stored does not show the fault.
    found.retain(|found| found.category != Category::More && !before.contains(found));
    Some(Tried { kind, place, found })
}

/// The decoded content of an answer, as a later fault's other content.
pub fn content_of(comparator: &Comparator, answer: &ShadowResponse) -> Option<Vec<u8>> {
    let content = comparator.decoded(answer.into()).ok()?;
    (!content.is_empty() && content.len() <= MAX_CONTENT).then(|| content.into_owned())
}

/// A text with a change at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Changed {
    text: Vec<u8>,
    place: String,
}

/// Plants a fault of a kind into an answer; `content` is its content without its content coding, and `other` the
/// decoded content of another answer to the same method. `of` is the type of messages in it, if it is known. `None` if
/// that kind of fault is not possible there.
fn plant(
    kind: Planted,
    answer: &ShadowResponse,
    (content, other): (&[u8], Option<&[u8]>),
    of: Option<&MessageDescriptor>,
    seed: u64,
) -> Option<Fault> {
    let mut dice = Dice(seed);
    if content.len() > MAX_CONTENT {
        return None;
    }
    let changed = |text: Vec<u8>, place: String| {
        (text != content).then(|| Fault {
            answer: with_content(answer, text),
            place,
        })
    };
    match kind {
        Planted::Status if grpc::is_grpc(&answer.headers) => grpc_status(answer, content, &mut dice),
        Planted::Status => {
            let others = [200, 201, 302, 400, 404, 409, 500, 503];
            let status = *dice.pick(&others).filter(|status| **status != answer.status)?;
            Some(Fault {
                answer: ShadowResponse {
                    status,
                    ..answer.clone()
                },
                place: "status".to_owned(),
            })
        }
        Planted::Header => header(answer, &mut dice),
        Planted::Truncated => {
            // The last tags of a document say nothing.
            let most = content.trim_ascii_end().len() / 10 * 9;
            let kept = content.get(..dice.below(most))?;
            changed(kept.to_vec(), "body".to_owned())
        }
        Planted::Other => changed(other?.to_vec(), "body".to_owned()),
        _ => {
            let found = if media::kind(&answer.headers) == Kind::Grpc {
                messages::change(kind, (&answer.headers, content), of, &mut dice)
            } else if json::is_document(content) {
                json::change(kind, content, &mut dice)
            } else {
                text::change(kind, content, &mut dice)
            };
            found.and_then(|Changed { text, place }| changed(text, place))
        }
    }
}

/// Another status of gRPC, where the answer has it.
fn grpc_status(answer: &ShadowResponse, content: &[u8], dice: &mut Dice) -> Option<Fault> {
    let mut changed = answer.clone();
    if let Some(trailers) = messages::other_status(&answer.trailers, dice) {
        changed.trailers = trailers;
    } else if let Some(headers) = messages::other_status(&answer.headers, dice) {
        changed.headers = headers;
    } else {
        let text = messages::other_web_status(&answer.headers, content, dice)?;
        changed = with_content(answer, text);
    }
    Some(Fault {
        answer: changed,
        place: "trailer grpc-status".to_owned(),
    })
}

/// Header fields that are compared and that faults are planted in.
const FIELDS: [&str; 6] = [
    "content-type",
    "location",
    "cache-control",
    "content-language",
    "www-authenticate",
    "set-cookie",
];

fn header(answer: &ShadowResponse, dice: &mut Dice) -> Option<Fault> {
    let known: Vec<&str> = FIELDS
        .into_iter()
        .filter(|name| answer.headers.get(name).is_some())
        .collect();
    let name = *dice.pick(&known)?;
    let value: &[u8] = match name {
        "content-type" => b"text/x-other",
        "location" => b"/elsewhere",
        "cache-control" => b"no-transform",
        _ => b"other=1",
    };
    let lost = dice.next().is_multiple_of(2);
    let fields = answer.headers.iter().filter_map(|(field, old)| {
        let is_it = field.eq_ignore_ascii_case(name.as_bytes());
        (!(is_it && lost)).then_some((field, if is_it { value } else { old }))
    });
    Some(Fault {
        answer: ShadowResponse {
            headers: Headers::from_pairs(fields),
            ..answer.clone()
        },
        place: format!("header {name}"),
    })
}

/// The answer with other content, in UTF-8 and without a content coding.
fn with_content(answer: &ShadowResponse, content: Vec<u8>) -> ShadowResponse {
    let fields = answer
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case(b"content-encoding"))
        .map(|(name, value)| {
            if name.eq_ignore_ascii_case(b"content-type") {
                (name, without_charset(value))
            } else {
                (name, value)
            }
        });
    ShadowResponse {
        status: answer.status,
        headers: Headers::from_pairs(fields),
        trailers: answer.trailers.clone(),
        body: Body::whole(Bytes::from(content)),
        first_byte: Duration::ZERO,
        total: Duration::ZERO,
    }
}

/// A media type without its parameters, if one of them is a character set: the content is in UTF-8.
fn without_charset(value: &[u8]) -> &[u8] {
    let has = value
        .windows("charset".len())
        .any(|part| part.eq_ignore_ascii_case(b"charset"));
    let end = value.iter().position(|byte| *byte == b';').filter(|_| has);
    value.get(..end.unwrap_or(value.len())).unwrap_or(value)
}

#[cfg(test)]
mod tests;
