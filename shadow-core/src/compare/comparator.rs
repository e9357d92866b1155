//! Comparison of two answers, step by step.

use std::borrow::Cow;

use crate::rewrite::{is_not_modified, is_part};
use shadow_proto::exchange::{Exchange, Request};

use super::{
    Category, Checked, Discrepancy, Failure, Outcome, RuleError, RuleUsage, Rules, Side, Verdict, binary,
    charset, checked,
    clocks::Clocks,
    compiled::Compiled,
    decode::{self, DecodeError},
    errors,
    findings::Findings,
    grpc, headers, json, kinds,
    logged::{self, Logged},
    markup,
    media::{self, Kind},
    parts,
    rules::Errors,
    scope::{self, Scope},
    status, text,
};

/// Compiled rules. One instance serves every thread; only its counters change.
#[derive(Debug)]
pub struct Comparator {
    compiled: Compiled,
    /// The same rules for comparisons that are not counted.
    aside: Compiled,
    redacted: bool,
    kept_validators: bool,
    port: Option<u16>,
    logged: Option<Logged>,
}

/// A content without its content coding.
type Decoded<'s> = Result<Cow<'s, [u8]>, DecodeError>;

impl Comparator {
    /// Compiles the rules, or reports the one that cannot work.
    pub fn new(rules: Rules) -> Result<Self, RuleError> {
        Ok(Self {
            aside: Compiled::new(rules.clone())?,
            compiled: Compiled::new(rules)?,
            redacted: false,
            kept_validators: false,
            port: None,
            logged: None,
        })
    }

    /// For production answers that were redacted before they were kept: where a production value holds the mark of
    /// redaction, any shadow value passes. Whether the value is present is still compared.
    pub fn redacted_production(&mut self, redacted: bool) {
        self.redacted = redacted;
    }

    /// For requests that were sent with production's validators: an answer with 304 (Not Modified) is compared like any
    /// other.
    pub fn kept_validators(&mut self, kept: bool) {
        self.kept_validators = kept;
    }

    /// For a shadow system that listens on this port: where it names itself with it, as in a redirect, and production
    /// names itself with a port, it names the host that it was asked for.
    pub fn shadow_port(&mut self, port: Option<u16>) {
        self.port = port;
    }

    /// For production answers of which only a line of an access log is known: status, redirect and length are compared.
    pub fn logged_production(&mut self, logged: Option<Logged>) {
        self.logged = logged;
    }

    /// The rules it was compiled from.
    pub fn rules(&self) -> &Rules {
        &self.compiled.rules
    }

    /// Whether it compares as another one does.
    pub fn is_as(&self, other: &Self) -> bool {
        let settings = |of: &Self| (of.redacted, of.kept_validators, of.port, of.logged);
        settings(self) == settings(other) && self.rules() == other.rules()
    }

    /// The usage of each rule so far, in the order of the configuration.
    pub fn usage(&self) -> Vec<RuleUsage> {
        self.compiled.counters.usage()
    }

    /// The verdict for a complete exchange and the outcome of its replay to the shadow system.
    ///
    /// The gate admits no exchange without a response. If there were one, nothing would be compared, so it would count
    /// as a replay that the agent gave up, never as a match.
    pub fn verdict(&self, exchange: &Exchange, outcome: &Outcome) -> Verdict {
        let shadow = match outcome {
            Outcome::Failed(failure) => return Verdict::ShadowError(*failure),
            Outcome::Response(response) => response,
        };
        let Some(production) = &exchange.response else {
            return Verdict::ShadowError(Failure::Cancelled);
        };
        let found = self.compare(&exchange.request, production.into(), shadow.into());
        if found.is_empty() {
            Verdict::Match
        } else {
            Verdict::Mismatch(found)
        }
    }

    /// Every difference under the rules for this request, up to the limit; empty for equal answers.
    ///
    /// When the statuses are of different classes nothing else is compared: an error page differs from an answer in
    /// everything, and only the status is informative.
    pub fn compare(&self, request: &Request, production: Side<'_>, shadow: Side<'_>) -> Vec<Discrepancy> {
        self.compared(&self.compiled, request, production, shadow)
    }

    /// As [`Comparator::compare`], without counting the use of rules: for answers that no system gave.
    pub fn compare_aside(
        &self,
        request: &Request,
        production: Side<'_>,
        shadow: Side<'_>,
    ) -> Vec<Discrepancy> {
        self.compared(&self.aside, request, production, shadow)
    }

    /// The leaves of production's content, by how they are compared with those of the shadow system's answer. Equal
    /// content is compared exactly, whatever the rules.
    pub fn checked(&self, request: &Request, production: Side<'_>, shadow: Side<'_>) -> Checked {
        let scope = Scope::new(&self.aside, request);
        if self.sent_in_full(request, production.status, shadow.status) {
            return Checked::in_place_of_none(shadow.body.kept.len());
        }
        if self.sent_as_whole(request, production.status, shadow.status)
            && parts::cut(production, shadow).is_none()
        {
            return Checked::not(shadow.body.kept.len());
        }
        if headers::is_redirect_note(&scope, production, shadow) {
            // It says the target of Location again.
            return Checked::default();
        }
        let content = self.contents(production, shadow).0.ok();
        let checked = checked::checked(&scope, request, production, content.as_deref());
        if self.are_equal(production, shadow, content.as_deref()) {
            let mut exact = checked.all();
            if exact.leaves == 0 && !production.body.kept.is_empty() {
                // Elements without texts and attributes have no leaves.
                exact.add(production.body.kept.len());
            }
            return Checked {
                exact,
                ..Checked::default()
            };
        }
        checked
    }

    /// Whether two contents are equal, in the same content coding or without it.
    fn are_equal(&self, production: Side<'_>, shadow: Side<'_>, content: Option<&[u8]>) -> bool {
        let (a, b) = (production.body, shadow.body);
        let known = a.blake3().zip(b.blake3());
        let same = a.len == b.len && known.is_some_and(|(a, b)| a == b);
        let whole = a.is_whole() && b.is_whole();
        same || whole
            && content.is_some_and(|content| self.decoded(shadow).is_ok_and(|other| other == content))
    }

    fn compared(
        &self,
        compiled: &Compiled,
        request: &Request,
        production: Side<'_>,
        shadow: Side<'_>,
    ) -> Vec<Discrepancy> {
        let scope = Scope::new(compiled, request);
        let mut findings = Findings::new(self.compiled.rules.discrepancies)
            .of_redacted(self.redacted)
            .of_port(self.port);
        if let Some(logged) = self.logged {
            logged::compare(&scope, logged, request, (production, shadow), &mut findings);
            return findings.finish();
        }
        if self.sent_in_full(request, production.status, shadow.status) {
            headers::not_modified(&scope, request, production, shadow, &mut findings);
            return findings.finish();
        }
        if self.sent_as_whole(request, production.status, shadow.status) {
            headers::compare(&scope, request, production, shadow, &mut findings);
            if let Some(part) = parts::cut(production, shadow) {
                let shadow = Side {
                    body: &part,
                    ..shadow
                };
                self.bodies(scope, production, shadow, &mut findings);
            }
            return findings.finish();
        }
        if !status::same(&scope, production.status, shadow.status) {
            findings.push(
                Category::Status,
                "status",
                production.status.to_string(),
                shadow.status.to_string(),
            );
        }
        if status::same_class(production.status, shadow.status) {
            headers::compare(&scope, request, production, shadow, &mut findings);
            let status_only = (is_error(production) && scope.errors == Errors::Status)
                || headers::is_redirect_note(&scope, production, shadow);
            let is_grpc = grpc::is_grpc(production.headers) || grpc::is_grpc(shadow.headers);
            if media::kind(production.headers) == Kind::Grpc {
                scope.lacks_type(request);
            }
            if is_grpc && !grpc::statuses(&scope, production, shadow, &mut findings) {
                // As with statuses of different classes: the messages differ in everything.
                return findings.finish();
            }
            if !status_only && !scope.ignores_all() {
                self.bodies(scope, production, shadow, &mut findings);
            }
        }
        findings.finish()
    }

    /// Whether production answered that the client has the content, and the shadow system sent it because its request
    /// had no validators. Production's content is not known then.
    fn sent_in_full(&self, request: &Request, production: u16, shadow: u16) -> bool {
        let in_full = shadow == 200 || shadow == 206 && request.headers.get("range").is_some();
        in_full && !self.kept_validators && is_not_modified(production, &request.headers)
    }

    /// Whether production sent a part, and the shadow system the whole, because its request had no validators.
    fn sent_as_whole(&self, request: &Request, production: u16, shadow: u16) -> bool {
        shadow == 200 && !self.kept_validators && is_part(production, &request.headers)
    }

    fn bodies(&self, scope: Scope<'_>, production: Side<'_>, shadow: Side<'_>, findings: &mut Findings) {
        let (left, right) = (production.body, shadow.body);
        if !left.is_whole() || !right.is_whole() {
            return binary::digests(left, right, findings);
        }
        self.survey(&scope, production);
        // By far the most common case, and the cheapest: the same bytes in the same coding.
        let same_coding = || {
            let coding = "content-encoding";
            production
                .headers
                .get_all(coding)
                .eq(shadow.headers.get_all(coding))
        };
        if left.kept == right.kept && (left.kept.is_empty() || same_coding()) {
            return;
        }
        match self.contents(production, shadow) {
            (Ok(a), Ok(b)) => {
                let scope = &scope.at(Clocks::of(production.headers, shadow.headers));
                let (a, b) = ((production.headers, a.as_ref()), (shadow.headers, b.as_ref()));
                let by_type = is_error(production)
                    && scope.errors == Errors::Type
                    && errors::compare(scope, a, b, findings);
                if !by_type {
                    kinds::compare(scope, a, b, findings);
                }
            }
            (Err(_), Err(_)) => binary::digests(left, right, findings),
            (a, b) => {
                let shown = |side: Decoded<'_>, len: usize| match side {
                    Ok(content) => format!("{} bytes when decoded", content.len()),
                    Err(error) => format!("{error}: {len} bytes"),
                };
                let (a, b) = (shown(a, left.kept.len()), shown(b, right.kept.len()));
                findings.push(Category::Decode, "body", a, b);
            }
        }
    }

    /// Searches a whole production document for places that the rules name, when a survey is due.
    fn survey(&self, scope: &Scope<'_>, production: Side<'_>) {
        let kind = media::kind(production.headers);
        let document = |due: bool| due.then(|| self.decoded(production).ok()).flatten();
        match kind {
            Kind::Json | Kind::Unknown => {
                if let Some(document) = document(scope.wants_survey(scope::Kind::Values)) {
                    json::survey(scope, &document);
                }
            }
            Kind::Xml | Kind::Html => {
                if let Some(document) = document(scope.wants_survey(scope::Kind::Markup)) {
                    markup::survey(scope, kind, &document);
                }
            }
            Kind::Grpc => {
                if let Some(content) = document(scope.wants_survey(scope::Kind::Values)) {
                    let documents = grpc::documents(production.headers, &content, scope.answer_type());
                    for document in documents.unwrap_or_default() {
                        json::survey(scope, &document);
                    }
                }
            }
            Kind::Text => {
                if let Some(document) = document(scope.wants_lines()) {
                    text::survey(scope, &document);
                }
            }
            _ => {}
        }
    }

    /// Both contents without their content codings. Production's clients can read what production sends, so content of
    /// production whose coding cannot be removed is read leniently. The shadow system's is only if it has the same
    /// fault.
    fn contents<'s>(&self, production: Side<'s>, shadow: Side<'s>) -> (Decoded<'s>, Decoded<'s>) {
        let leniently = |side: Side<'s>, strict: Decoded<'s>| {
            decode::leniently(side.headers, &side.body.kept, self.compiled.rules.decoded)
                .map_or(strict, |content| Ok(charset::to_utf8(side.headers, content)))
        };
        match (self.decoded(production), self.decoded(shadow)) {
            (a @ Err(_), b @ Ok(_)) => (leniently(production, a), b),
            (Err(a), Err(b)) if a == b => match (leniently(production, Err(a)), leniently(shadow, Err(b))) {
                (Ok(left), Ok(right)) => (Ok(left), Ok(right)),
                _ => (Err(a), Err(b)),
            },
            strict => strict,
        }
    }

    /// The content without its content coding, as UTF-8 where it is text.
    pub(crate) fn decoded<'s>(&self, side: Side<'s>) -> Decoded<'s> {
        decode::decode(side.headers, &side.body.kept, self.compiled.rules.decoded)
            .map(|content| charset::to_utf8(side.headers, content))
    }
}

fn is_error(production: Side<'_>) -> bool {
    status::is_error(production.status)
}

#[cfg(test)]
#[path = "comparator_tests.rs"]
mod rules_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
