//! The order in which two answers are compared.

use std::borrow::Cow;

use shadow_proto::exchange::{Exchange, Request};

use super::{
    Category, Discrepancy, Failure, Outcome, RuleError, RuleUsage, Rules, Side, Verdict, binary,
    compiled::Compiled,
    decode::{self, DecodeError},
    errors,
    findings::Findings,
    headers, json, kinds, markup,
    media::{self, Kind},
    rules::Errors,
    scope::{self, Scope},
    status, text,
};

/// Rules, compiled. One serves every thread; all that changes in it are counters.
#[derive(Debug)]
pub struct Comparator {
    compiled: Compiled,
    redacted: bool,
}

impl Comparator {
    /// Compiles the rules, or says which one cannot work.
    pub fn new(rules: Rules) -> Result<Self, RuleError> {
        Compiled::new(rules).map(|compiled| Self {
            compiled,
            redacted: false,
        })
    }

    /// For answers of production that were redacted before they were kept: where a value of theirs holds the mark of
    /// redaction, any value of the shadow system passes. That it is there at all is compared as ever.
    pub fn redacted_production(&mut self, redacted: bool) {
        self.redacted = redacted;
    }

    /// The rules it was made of.
    pub fn rules(&self) -> &Rules {
        &self.compiled.rules
    }

    /// What became of each rule so far, in the order of the configuration.
    pub fn usage(&self) -> Vec<RuleUsage> {
        self.compiled.counters.usage()
    }

    /// The verdict for a complete exchange and what the shadow system did with its request.
    ///
    /// The gate lets no exchange without a response through. Were there one, nothing would be compared, so it would
    /// be a replay that the agent gave up, never a match.
    pub fn verdict(&self, exchange: &Exchange, outcome: &Outcome) -> Verdict {
        let shadow = match outcome {
            Outcome::Failed(failure) => return Verdict::ShadowError(*failure),
            Outcome::Response(response) => response,
        };
        let Some(production) = &exchange.response else {
            return Verdict::ShadowError(Failure::Cancelled);
        };
        let found = self.compare(
            &exchange.request,
            Side {
                status: production.status,
                headers: &production.headers,
                body: &production.body,
            },
            Side {
                status: shadow.status,
                headers: &shadow.headers,
                body: &shadow.body,
            },
        );
        if found.is_empty() {
            Verdict::Match
        } else {
            Verdict::Mismatch(found)
        }
    }

    /// Every difference under the rules for this request, up to the limit; empty for equal answers.
    ///
    /// When the statuses are of different classes nothing else is compared: an error page differs from an answer in
    /// everything, and only the status says something.
    pub fn compare(&self, request: &Request, production: Side<'_>, shadow: Side<'_>) -> Vec<Discrepancy> {
        let scope = Scope::new(&self.compiled, request);
        let mut findings = Findings::new(self.compiled.rules.discrepancies).of_redacted(self.redacted);
        if !status::same(&scope, production.status, shadow.status) {
            findings.push(
                Category::Status,
                "status",
                production.status.to_string(),
                shadow.status.to_string(),
            );
        }
        if status::same_class(production.status, shadow.status) {
            headers::compare(&scope, production.headers, shadow.headers, &mut findings);
            let status_only = is_error(production) && scope.errors == Errors::Status;
            if !status_only && !scope.ignores_all() {
                self.bodies(&scope, production, shadow, &mut findings);
            }
        }
        findings.finish()
    }

    fn bodies(&self, scope: &Scope<'_>, production: Side<'_>, shadow: Side<'_>, findings: &mut Findings) {
        let (left, right) = (production.body, shadow.body);
        if !left.is_whole() || !right.is_whole() {
            return binary::digests(left, right, findings);
        }
        self.survey(scope, production);
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
        match (self.decoded(production), self.decoded(shadow)) {
            (Ok(a), Ok(b)) => {
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
                let shown = |side: Result<Cow<'_, [u8]>, DecodeError>, len: usize| match side {
                    Ok(content) => format!("{} bytes when decoded", content.len()),
                    Err(error) => format!("{error}: {len} bytes"),
                };
                let (a, b) = (shown(a, left.kept.len()), shown(b, right.kept.len()));
                findings.push(Category::Decode, "body", a, b);
            }
        }
    }

    /// Looks at a whole document, production's, for what the rules name in it, when that is due.
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
            Kind::Text => {
                if let Some(document) = document(scope.wants_lines()) {
                    text::survey(scope, &document);
                }
            }
            _ => {}
        }
    }

    fn decoded<'s>(&self, side: Side<'s>) -> Result<Cow<'s, [u8]>, DecodeError> {
        decode::decode(side.headers, &side.body.kept, self.compiled.rules.decoded)
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
