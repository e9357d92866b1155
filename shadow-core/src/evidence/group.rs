//! Discrepancies that are the same but for the exchange.
//!
//! Bounds: groups, samples of a group. A discrepancy without a place among them is counted. Only what becomes a sample
//! is redacted and kept, so a storm of mismatches costs a hash and a count each.

use core::fmt::Write as _;

use hashbrown::HashMap;

use crate::{compare::Discrepancy, redact::Redactor, time::Timestamp};

use super::{report, route};

/// The groups.
#[derive(Debug)]
pub(crate) struct Groups {
    by_fingerprint: HashMap<Fingerprint, Group>,
    limit: usize,
    samples: usize,
    overflow: u64,
}

type Fingerprint = [u8; 6];

#[derive(Debug)]
struct Group {
    route: String,
    category: String,
    place: String,
    exchanges: u64,
    discrepancies: u64,
    first: Timestamp,
    last: Timestamp,
    /// The number of the last exchange that was counted here.
    latest: u64,
    samples: Vec<report::Sample>,
}

/// Where and when a discrepancy was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'c> {
    pub(crate) route: &'c str,
    pub(crate) target: &'c [u8],
    /// A number that no other exchange has.
    pub(crate) exchange: u64,
    pub(crate) now: Timestamp,
    pub(crate) redactor: &'c Redactor,
}

impl Groups {
    pub(crate) fn new(limit: usize, samples: usize) -> Self {
        Self {
            by_fingerprint: HashMap::new(),
            limit,
            samples,
            overflow: 0,
        }
    }

    /// Discrepancies that found no place.
    pub(crate) fn overflow(&self) -> u64 {
        self.overflow
    }

    /// Counts one. `category` is the discrepancy's, or the name of a failure.
    pub(crate) fn add(&mut self, context: Context<'_>, category: &str, found: &Discrepancy) {
        let Context {
            route,
            target,
            exchange,
            now,
            redactor,
        } = context;
        let place = generalised(&found.place);
        let fingerprint = fingerprint(route, category, &place);
        if self.by_fingerprint.len() >= self.limit && !self.by_fingerprint.contains_key(&fingerprint) {
            self.overflow = self.overflow.saturating_add(1);
            return;
        }
        let group = self.by_fingerprint.entry(fingerprint).or_insert_with(|| Group {
            route: route.to_owned(),
            category: category.to_owned(),
            place: redactor.text(&place),
            exchanges: 0,
            discrepancies: 0,
            first: now,
            last: now,
            latest: exchange,
            samples: Vec::new(),
        });
        group.discrepancies = group.discrepancies.saturating_add(1);
        group.last = group.last.max(now);
        if group.exchanges > 0 && group.latest == exchange {
            return;
        }
        group.exchanges = group.exchanges.saturating_add(1);
        group.latest = exchange;
        if group.samples.len() < self.samples {
            let Discrepancy {
                category: _,
                place,
                production,
                shadow,
            } = redactor.discrepancy(found);
            group.samples.push(report::Sample {
                at_ns: now.as_nanos(),
                target: redactor.target(&String::from_utf8_lossy(target)),
                place,
                production,
                shadow,
                shift: String::new(),
            });
        }
    }

    /// The largest first; of equal ones in a stable order.
    pub(crate) fn ranked(&self) -> Vec<report::Group> {
        let mut ranked: Vec<report::Group> = self
            .by_fingerprint
            .iter()
            .map(|(fingerprint, group)| report::Group {
                id: hex(fingerprint),
                route: group.route.clone(),
                category: group.category.clone(),
                place: group.place.clone(),
                exchanges: group.exchanges,
                discrepancies: group.discrepancies,
                first_ns: group.first.as_nanos(),
                last_ns: group.last.as_nanos(),
                samples: group.samples.clone(),
                ..report::Group::default()
            })
            .collect();
        ranked.sort_by(|a, b| b.exchanges.cmp(&a.exchanges).then_with(|| a.id.cmp(&b.id)));
        ranked
    }
}

/// The same in every run, so that a group can be named in a rule or a ticket.
fn fingerprint(route: &str, category: &str, place: &str) -> Fingerprint {
    let mut hasher = blake3::Hasher::new();
    for part in [route, category, place] {
        hasher.update(part.as_bytes());
        hasher.update(&[0]);
    }
    let mut fingerprint = Fingerprint::default();
    hasher.finalize_xof().fill(&mut fingerprint);
    fingerprint
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes everything.
        write!(text, "{byte:02x}").unwrap_or_default();
        text
    })
}

/// A place without what differs between exchanges: indices, member names that look like values, line numbers.
fn generalised(place: &str) -> String {
    if place.starts_with("line ") {
        return "line *".to_owned();
    }
    let Some(mut rest) = place.strip_prefix('$') else {
        return place.to_owned();
    };
    let mut out = "$".to_owned();
    while !rest.is_empty() {
        let end = step_len(rest);
        let (step, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let name = step
            .strip_prefix('.')
            .or_else(|| step.strip_prefix("['").and_then(|step| step.strip_suffix("']")));
        match name {
            Some(name) if route::placeholder(name).is_some() => out.push_str(".*"),
            Some(_) => out.push_str(step),
            None => out.push_str("[*]"),
        }
        rest = behind;
    }
    out
}

/// The length of `.name`, `['name']` or `[3]` at the start of a path.
fn step_len(path: &str) -> usize {
    if !path.starts_with("['") {
        let behind = path.char_indices().skip(1);
        return behind
            .into_iter()
            .find(|(_, c)| matches!(c, '.' | '['))
            .map_or(path.len(), |(at, _)| at);
    }
    let mut escaped = false;
    for (at, c) in path.char_indices().skip(2) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            // Behind the quote comes the bracket.
            '\'' => return at.saturating_add(2),
            _ => {}
        }
    }
    path.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{compare::Category, redact::RedactConfig};

    #[test]
    fn places_are_generalised() {
        for (place, expected) in [
            ("$", "$"),
            ("$.items[3].price", "$.items[*].price"),
            ("$[0][1]", "$[*][*]"),
            ("$.users['123'].name", "$.users.*.name"),
            ("$.users['a b'].x", "$.users['a b'].x"),
            ("$['it\\'s[3]'].y[2]", "$['it\\'s[3]'].y[*]"),
            ("$['ann@example.org']", "$.*"),
            ("line 12", "line *"),
            ("body", "body"),
            ("header content-type", "header content-type"),
        ] {
            assert_eq!(generalised(place), expected);
        }
    }

    fn add(groups: &mut Groups, exchange: u64, place: &str) {
        let redactor = Redactor::new([0; 32], &RedactConfig::default());
        let found = Discrepancy {
            category: Category::Value,
            place: place.to_owned(),
            production: format!("\"{exchange}\""),
            shadow: "\"ann@example.org\"".to_owned(),
        };
        let context = Context {
            route: "GET /x",
            target: b"/x?token=abc",
            exchange,
            now: Timestamp::from_nanos(1000 + exchange),
            redactor: &redactor,
        };
        groups.add(context, found.category.as_str(), &found);
    }

    #[test]
    fn equal_discrepancies_are_one_group_with_bounded_samples() {
        let mut groups = Groups::new(10, 2);
        for exchange in 0..100 {
            add(&mut groups, exchange, "$.a[0].b");
            add(&mut groups, exchange, "$.a[1].b");
        }
        add(&mut groups, 100, "$.c");
        let ranked = groups.ranked();
        assert_eq!(ranked.len(), 2);
        let first = &ranked[0];
        assert_eq!(
            (first.place.as_str(), first.exchanges, first.discrepancies),
            ("$.a[*].b", 100, 200)
        );
        assert_eq!(
            (first.first_ns, first.last_ns, first.samples.len()),
            (1000, 1099, 2)
        );
        assert_eq!(first.samples[1].production, "\"1\"", "of two exchanges");
        let text = format!("{ranked:?}");
        assert!(!text.contains("ann@") && !text.contains("abc"), "{text}");
    }

    #[test]
    fn a_hundred_thousand_places_stay_bounded() {
        let mut groups = Groups::new(50, 3);
        for exchange in 0..100_000u64 {
            let name: String = exchange
                .to_string()
                .bytes()
                .map(|digit| char::from(digit - b'0' + b'g'))
                .collect();
            add(&mut groups, exchange, &format!("$.{name}"));
        }
        assert_eq!(groups.ranked().len(), 50);
        assert_eq!(groups.overflow(), 100_000 - 50);
    }
}
