//! Names of the header fields in the answers of both systems, to say which of them were not compared.
//!
//! Bounds: names ([`NAMES`]) and their length. No value is kept, and no name that redaction changes.

use hashbrown::HashMap;
use shadow_proto::exchange::{Exchange, Headers};

use super::report::{FieldShare, Fields};
use crate::{
    compare::{Rules, ShadowResponse},
    fields::is_hop_by_hop,
    redact::Redactor,
};

/// Names that are kept.
const NAMES: usize = 256;

/// Bytes of the longest name that is kept.
const LONG: usize = 64;

/// Fields that frame the content or say when it was sent: their meaning is compared, or differs by nature.
const OF_TRANSFER: [&str; 4] = ["content-length", "date", "trailer", "via"];

/// The status of a gRPC call, which is compared wherever it is: in an answer without messages it is in the head.
const OF_CALLS: [&str; 3] = ["grpc-message", "grpc-status", "grpc-status-details-bin"];

/// How often each name occurred.
#[derive(Debug, Default)]
pub(super) struct FieldNames {
    answers: u64,
    /// By name in lower case: answers of production and of the shadow system, and the last pair of answers with it.
    names: HashMap<Box<str>, [Seen; 2]>,
    /// Names that were not kept, as often as they occurred.
    further: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    answers: u64,
    latest: u64,
}

impl FieldNames {
    /// Counts the names in the answers of both systems to one request.
    pub(super) fn count(
        &mut self,
        redactor: &Redactor,
        exchange: &Exchange,
        shadow: Option<&ShadowResponse>,
    ) {
        if let Some((production, shadow)) = exchange.response.as_ref().zip(shadow) {
            self.add_all(redactor, [&production.headers, &shadow.headers]);
        }
    }

    fn add_all(&mut self, redactor: &Redactor, answers: [&Headers; 2]) {
        self.answers = self.answers.saturating_add(1);
        for (system, headers) in answers.into_iter().enumerate() {
            for (name, _) in headers.iter() {
                self.add(redactor, system, name);
            }
        }
    }

    fn add(&mut self, redactor: &Redactor, system: usize, name: &[u8]) {
        let mut lower = [0; LONG];
        let Some(lower) = lower.get_mut(..name.len()) else {
            self.further = self.further.saturating_add(1);
            return;
        };
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        let Some(name) = core::str::from_utf8(lower).ok() else {
            self.further = self.further.saturating_add(1);
            return;
        };
        if !self.names.contains_key(name) {
            let is_shown = name.bytes().all(|byte| byte.is_ascii_graphic());
            if self.names.len() >= NAMES || !is_shown || redactor.header(name.as_bytes(), b"").0 != name {
                self.further = self.further.saturating_add(1);
                return;
            }
            self.names.insert(name.into(), [Seen::default(); 2]);
        }
        let seen = self.names.get_mut(name).and_then(|seen| seen.get_mut(system));
        if let Some(seen) = seen.filter(|seen| seen.latest != self.answers) {
            seen.latest = self.answers;
            seen.answers = seen.answers.saturating_add(1);
        }
    }

    /// Adds the counts of another ledger, whatever the number of names.
    pub(super) fn add_stored(&mut self, stored: &Fields) {
        self.answers = self.answers.saturating_add(stored.answers);
        self.further = self.further.saturating_add(stored.further);
        for field in &stored.fields {
            let [production, shadow] = self.names.entry(field.name.as_str().into()).or_default();
            production.answers = production.answers.saturating_add(field.production);
            shadow.answers = shadow.answers.saturating_add(field.shadow);
        }
    }

    /// All fields that an application writes, those that differ most between the systems first.
    pub(super) fn all(&self) -> Fields {
        let mut fields: Vec<FieldShare> = self
            .names
            .iter()
            .filter(|(name, _)| {
                let is_compared = |names: &[&str]| names.contains(&&***name);
                !is_hop_by_hop(name.as_bytes()) && !is_compared(&OF_TRANSFER) && !is_compared(&OF_CALLS)
            })
            .map(|(name, [production, shadow])| FieldShare {
                name: name.to_string(),
                production: production.answers,
                shadow: shadow.answers,
            })
            .collect();
        fields.sort_by(|a, b| {
            let apart = |field: &FieldShare| field.production.abs_diff(field.shadow);
            let most = |field: &FieldShare| field.production.max(field.shadow);
            (apart(b), most(b))
                .cmp(&(apart(a), most(a)))
                .then_with(|| a.name.cmp(&b.name))
        });
        Fields {
            answers: self.answers,
            fields,
            further: self.further,
        }
    }
}

impl Fields {
    /// Without those that the rules compare for some request.
    #[must_use]
    pub fn not_compared(mut self, rules: &Rules) -> Self {
        self.fields.retain(|field| !rules.compare_field(&field.name));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::RedactConfig;

    #[test]
    fn names_are_counted_once_for_an_answer_and_bounded() {
        let redactor = Redactor::new([1; 32], &RedactConfig::default());
        let mut names = FieldNames::default();
        let headers = |pairs: &[(&str, &str)]| Headers::from_pairs(pairs.iter().copied());
        for number in 0..10 {
            let production = headers(&[
                ("X-Frame-Options", "DENY"),
                ("Server", "a"),
                ("Vary", "a"),
                ("VARY", "b"),
                ("Connection", "close"),
                ("Date", "now"),
                ("grpc-status", "5"),
                ("Content-Type", "text/html"),
            ]);
            let odd = format!("x-{number}");
            let shadow = headers(&[("server", "b"), ("Content-Type", "text/html"), (&odd, "1")]);
            names.add_all(&redactor, [&production, &shadow]);
        }
        let all = names.all();
        assert_eq!(all.answers, 10);
        let rows = |fields: &Fields| -> Vec<(String, u64, u64)> {
            let row = |field: &FieldShare| (field.name.clone(), field.production, field.shadow);
            fields.fields.iter().take(4).map(row).collect()
        };
        let row = |name: &str, a, b| (name.to_owned(), a, b);
        assert_eq!(
            rows(&all),
            [
                row("vary", 10, 0),
                row("x-frame-options", 10, 0),
                row("x-0", 0, 1),
                row("x-1", 0, 1)
            ]
        );
        let left = all.not_compared(&Rules::default());
        assert_eq!(rows(&left)[0], row("x-frame-options", 10, 0), "vary is compared");
        assert!(left.fields.iter().any(|field| field.name == "server"));
        assert!(left.fields.iter().all(|field| field.name != "content-type"));
        for number in 0..10_000 {
            let many = headers(&[(&format!("x-many-{number}"), "1"), (&"x".repeat(100), "")]);
            names.add_all(&redactor, [&many, &many]);
        }
        assert!(names.names.len() <= NAMES);
        assert!(names.all().further > 19_000);
    }
}
