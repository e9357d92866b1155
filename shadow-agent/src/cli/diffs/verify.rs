//! Rules tried on the recorded evidence: the cases of the journal are compared again, without and with them.
//!
//! A rule must remove what it claims and nothing else. Bounds: cases of each group. Bias: a case whose bodies are not
//! kept whole is left out, and the number of cases that were used is shown.

use shadow_core::{
    case::{Answered, Case, Field},
    compare::{Comparator, Discrepancy, Side},
    evidence::report::Group,
};
use shadow_proto::exchange::{Body, Headers, Request, Version};

use crate::{
    cli::{Exit, Failure, source},
    config::Config,
    figures::captured,
    journal::Reader,
};

/// Cases of one group that are compared again.
const CASES: u32 = 20;

/// The effect of rules on the recorded cases.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::cli) struct Checked {
    /// Cases that were compared again.
    pub(in crate::cli) cases: usize,
    /// Differences that the rules remove and claim.
    pub(in crate::cli) removed: usize,
    /// Other effects, in words.
    pub(in crate::cli) also: Vec<String>,
}

/// Compares the cases of all groups with two configurations; `claimed` are those that the change is about.
pub(in crate::cli) fn against(
    journal: &Reader,
    (before, after): (&Config, &Config),
    groups: &[Group],
    claimed: &[&Group],
) -> Result<Checked, Failure> {
    let mut cases: Vec<Case> = Vec::new();
    for group in groups {
        let found = journal
            .cases_of(&group.id, CASES)
            .map_err(|error| source::unreadable(journal, &error))?;
        for case in found {
            if cases.iter().all(|known| known.id != case.id) {
                cases.push(case);
            }
        }
    }
    let comparator = |config: &Config| {
        Comparator::new(config.compare.clone()).map_err(|error| Failure::new(Exit::Config, error.to_string()))
    };
    Ok(effect(
        &cases,
        (&comparator(before)?, &comparator(after)?),
        claimed,
    ))
}

/// The difference that the change of rules makes to these cases.
pub(super) fn effect(
    cases: &[Case],
    (before, after): (&Comparator, &Comparator),
    claimed: &[&Group],
) -> Checked {
    let mut checked = Checked::default();
    for case in cases {
        let Some(kept) = WholeCase::of(case) else {
            continue;
        };
        checked.cases += 1;
        let (before, after) = (kept.compare(before), kept.compare(after));
        let is_claimed = |found: &Discrepancy| {
            claimed.iter().any(|group| {
                group.route == case.route
                    && group.category == found.category.as_str()
                    && is_at(&group.place, &found.place)
            })
        };
        for found in before.iter().filter(|found| !after.contains(found)) {
            if is_claimed(found) {
                checked.removed += 1;
            } else {
                checked.also.push(told("hides", found, case));
            }
        }
        for found in after.iter().filter(|found| !before.contains(found)) {
            checked.also.push(told("adds", found, case));
        }
    }
    checked
}

fn told(what: &str, found: &Discrepancy, case: &Case) -> String {
    format!(
        "{what} {} at {} in case {} of {}",
        found.category.as_str(),
        captured(&found.place, 100),
        case.id,
        captured(&case.route, 100)
    )
}

/// Whether a place is one of those that a group has: `$.items[3].price` is at `$.items[*].price`.
pub(super) fn is_at(group: &str, place: &str) -> bool {
    let (group, place) = (steps(group), steps(place));
    group.len() == place.len()
        && group.iter().zip(&place).all(|(general, given)| {
            general == given
                || (*general == "*" && !given.starts_with('['))
                || (*general == "[*]" && given.starts_with('['))
        })
}

/// The steps of a place: words, names after dots, and brackets.
fn steps(place: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let mut rest = place;
    while !rest.is_empty() {
        let len = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |end| end + 1)
        } else {
            rest.find(['.', '[', ' ', '/']).unwrap_or(rest.len())
        };
        let (step, behind) = rest.split_at(len);
        if !step.is_empty() {
            steps.push(step);
        }
        rest = behind.strip_prefix(['.', ' ', '/']).unwrap_or(behind);
    }
    steps
}

/// A case with both answers whole.
struct WholeCase {
    request: Request,
    production: (u16, Headers, Body),
    shadow: (u16, Headers, Body),
}

impl WholeCase {
    fn of(case: &Case) -> Option<Self> {
        Some(Self {
            request: Request {
                method: case.request.method.clone().into(),
                target: case.request.target.clone().into(),
                version: Version::Http11,
                headers: fields(&case.request.headers),
                body: Body::default(),
                trailers: Headers::default(),
            },
            production: answer(&case.production)?,
            shadow: answer(case.shadow.as_ref()?)?,
        })
    }

    fn compare(&self, comparator: &Comparator) -> Vec<Discrepancy> {
        let [production, shadow] = [&self.production, &self.shadow].map(|(status, headers, body)| Side {
            status: *status,
            headers,
            trailers: Headers::none(),
            body,
        });
        comparator.compare(&self.request, production, shadow)
    }
}

/// The text of a body is kept without its content coding.
fn fields(fields: &[Field]) -> Headers {
    let is_kept = |field: &&Field| !field.name.eq_ignore_ascii_case("content-encoding");
    Headers::from_pairs(
        fields
            .iter()
            .filter(is_kept)
            .map(|field| (&field.name, &field.value)),
    )
}

fn answer(answer: &Answered) -> Option<(u16, Headers, Body)> {
    let body = match &answer.body.text {
        Some(text) if !answer.body.cut => Body::whole(text.clone().into_bytes()),
        None if answer.body.len == 0 => Body::default(),
        _ => return None,
    };
    Some((answer.status, fields(&answer.headers), body))
}
