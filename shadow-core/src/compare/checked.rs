//! How much of an answer is compared, and how: the leaves of its content under the rules.
//!
//! One walk over production's content, without a second answer. It costs about as much as a comparison, so it is made
//! for some answers of each route only.

use core::ops::ControlFlow;

use shadow_proto::exchange::Request;

use super::{
    Side, decode, form, grpc,
    json::{self, pieces::Pieces},
    kinds::{self, As, Content},
    leaves::Checked,
    markup,
    media::Kind,
    metrics, multipart,
    rules::Errors,
    scope::Scope,
    status, table,
};

/// Nested multiparts.
const MAX_NESTED: usize = 4;

/// The leaves of an answer. `content` is its decoded content, if it can be decoded.
pub(super) fn checked(
    scope: &Scope<'_>,
    request: &Request,
    answer: Side<'_>,
    content: Option<&[u8]>,
) -> Checked {
    let mut checked = Checked::default();
    let body = answer.body;
    if body.kept.is_empty() && body.is_whole() || request.method.eq_ignore_ascii_case(b"HEAD") {
        return checked;
    }
    let is_error = status::is_error(answer.status);
    if is_error && scope.errors == Errors::Status || scope.ignores_all() {
        return Checked::not(body.kept.len());
    }
    if is_error && scope.errors == Errors::Type {
        // At least its type is compared, and often not more.
        checked.by_rule.add(body.kept.len());
        return checked;
    }
    match content.filter(|_| body.is_whole()) {
        Some(content) => nested(scope, (answer.headers, content), &mut checked, 0),
        None => checked.by_digest.add(body.kept.len()),
    }
    checked
}

fn nested(scope: &Scope<'_>, content: Content<'_>, checked: &mut Checked, depth: usize) {
    let (headers, text) = content;
    if let Some(text) = (depth < MAX_NESTED)
        .then(|| decode::gzip_file(text, scope.decoded()))
        .flatten()
    {
        return nested(scope, (headers, &text), checked, depth.saturating_add(1));
    }
    let found = kinds::candidates(scope, content)
        .into_iter()
        .flatten()
        .try_for_each(|kind| match once(scope, kind, content, depth) {
            Some(found) => ControlFlow::Break(found),
            None => ControlFlow::Continue(()),
        });
    match found {
        ControlFlow::Break(found) => *checked = checked.plus(found),
        ControlFlow::Continue(()) if kinds::is_text(text) => lines(scope, text, checked),
        ControlFlow::Continue(()) => checked.by_digest.add(text.len()),
    }
}

/// The leaves of a content of one kind; `None` if it is not of that kind.
fn once(scope: &Scope<'_>, kind: As, content: Content<'_>, depth: usize) -> Option<Checked> {
    let (headers, text) = content;
    let mut checked = Checked::default();
    match kind {
        As::Kind(Kind::Json) => json::checked(scope, text),
        As::Kind(Kind::Xml | Kind::Html) => markup::checked(scope, kind == As::Kind(Kind::Xml), text),
        As::Pieces => {
            let pieces = Pieces::of(core::str::from_utf8(text).ok()?)?;
            for piece in &pieces.all {
                if !piece.before.trim().is_empty() {
                    checked.exact.add(piece.before.len());
                }
                checked = checked.plus(json::checked(scope, piece.text.as_bytes())?);
            }
            Some(checked)
        }
        As::Kind(Kind::Lines | Kind::Events) => {
            for line in text.split(|byte| *byte == b'\n') {
                let data = line.strip_prefix(b"data:").unwrap_or(line).trim_ascii();
                match json::checked(scope, data).filter(|_| json::looks_like_json(data)) {
                    Some(found) => checked = checked.plus(found),
                    None if data.is_empty() => {}
                    None => checked.exact.add(data.len()),
                }
            }
            Some(checked)
        }
        As::Kind(Kind::Grpc) => {
            for document in grpc::documents(headers, text, scope.answer_type())? {
                checked = checked.plus(json::checked(scope, &document)?);
            }
            Some(checked)
        }
        As::Kind(Kind::Form) => {
            for (name, value) in form::fields(text)? {
                let leaves = if scope.ignores(&name) {
                    &mut checked.not
                } else {
                    &mut checked.exact
                };
                leaves.add(value.len());
            }
            Some(checked)
        }
        As::Kind(Kind::Multipart) if depth < MAX_NESTED => {
            for part in multipart::parts(headers, text)? {
                nested(
                    scope,
                    (&part.headers, part.content),
                    &mut checked,
                    depth.saturating_add(1),
                );
            }
            Some(checked)
        }
        As::Csv(separator) => json::checked(scope, &table::csv(text, separator)?),
        As::Metrics => of_metrics(scope, text),
        As::Encoded(encoding) => json::checked(scope, &encoding.document(text)?),
        As::Kind(Kind::Multipart | Kind::Text | Kind::Bytes | Kind::Unknown) => None,
    }
}

/// Of some series only the names are compared.
fn of_metrics(scope: &Scope<'_>, text: &[u8]) -> Option<Checked> {
    let metrics = metrics::metrics(text)?;
    let mut checked = json::checked(scope, &metrics.json)?;
    checked.exact = checked.exact.minus(metrics.named_only);
    checked.by_format = checked.by_format.plus(metrics.named_only);
    Some(checked)
}

fn lines(scope: &Scope<'_>, text: &[u8], checked: &mut Checked) {
    for line in text
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
    {
        let masked = scope.masks().iter().any(|mask| mask.mask.regex().is_match(line));
        let leaves = if masked {
            &mut checked.by_rule
        } else {
            &mut checked.exact
        };
        leaves.add(line.len());
    }
}
