//! Answers of the shadow system: what is learned from them, and the form in which they are compared.

use hashbrown::HashSet;
use shadow_proto::{
    exchange::{Body, Exchange},
    time::Timestamp,
};

use crate::compare::{Category, Discrepancy, ShadowResponse};

use super::{
    Introduced, Values,
    class::Class,
    edit::{self, Edit},
    is_creation,
    known::{Knowledge, Learned, Partner},
    message::{self, Document},
    pairs::{self, Answer, Belongs, Pair},
    place::{Place, Role, Segments},
};

/// Conflicts of one exchange that are kept.
const CONFLICTS: usize = 64;

/// An answer of the shadow system with production's values.
#[derive(Debug, Default)]
pub struct Mapped {
    /// The answer to compare, if any value in it was mapped back.
    pub answer: Option<ShadowResponse>,
    /// Values of which one has another partner: production's, and the shadow system's as it is compared.
    conflicts: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Values {
    /// Learns from the shadow system's answer, and maps its values back.
    pub fn answered(
        &mut self,
        exchange: &Exchange,
        introduced: &Introduced,
        shadow: &ShadowResponse,
        now: Timestamp,
    ) -> Mapped {
        let Some(production) = &exchange.response else {
            return Mapped::default();
        };
        if production.status / 100 != shadow.status / 100 {
            self.lost(introduced, now);
            return Mapped::default();
        }
        let path = message::path(&exchange.request);
        let created = is_creation(exchange, production.status);
        let documents = [
            message::document_of(&production.headers, &production.body),
            message::document_of(&shadow.headers, &shadow.body),
        ];
        let is_quiet = !created && self.is_quiet(introduced, &documents);
        let [ours, theirs] = documents.map(|document| document.filter(|_| !is_quiet));
        let pairs = pairs::of(
            &path,
            (&production.headers, ours.as_ref()),
            (&shadow.headers, theirs.as_ref()),
            &|place, value| self.known.matters(place, value),
        );
        let own = if pairs.is_empty() {
            HashSet::new()
        } else {
            self.request_keys(exchange)
        };
        let mut mapped = Mapped::default();
        let by_pair = self.learn(&pairs, (&own, created), &mut mapped, now);
        self.settle(introduced, (&shadow.headers, theirs.as_ref()), &path, now);
        mapped.answer = self.map_back(shadow, (&path, theirs.as_ref()), &by_pair, now);
        let is_mapped = mapped.answer.is_some();
        let counters = &mut self.known.counters;
        counters.mapped = counters.mapped.saturating_add(u64::from(is_mapped));
        mapped
    }

    /// Whether nothing in the documents of a read can matter.
    fn is_quiet(&self, introduced: &Introduced, documents: &[Option<Document<'_>>; 2]) -> bool {
        let is_known = |value: &[u8]| self.known.may_have(value);
        let matters = |document: &Option<Document<'_>>| {
            document
                .as_ref()
                .is_some_and(|document| document.may_matter(&is_known))
        };
        let [ours, theirs] = documents;
        let are_equal = matches!((ours, theirs), (Some(ours), Some(theirs)) if ours.text == theirs.text);
        let is_known_quiet = introduced.quiet == Some(self.known.table().added());
        (is_known_quiet || !matters(ours)) && (are_equal || !matters(theirs))
    }

    /// Introduced values that the shadow system's answer has neither itself nor in another form have no partner.
    fn settle(&mut self, introduced: &Introduced, theirs: Answer<'_>, path: &str, now: Timestamp) {
        if introduced.values.is_empty() {
            return;
        }
        let theirs = pairs::keys(theirs, path, &|place, value| self.known.key(place, value));
        let gone = introduced.values.iter().filter(|(place, value)| {
            let is_there = theirs.contains(&self.known.key(place, value));
            !is_there && self.known.partner(place, value, now) == Partner::Unknown
        });
        let gone = Introduced {
            values: gone.cloned().collect(),
            keys: Vec::new(),
            created: introduced.created,
            quiet: None,
        };
        self.lost(&gone, now);
    }

    /// Learns from pairs. Returns what to write in the shadow system's document: production's values for those that
    /// correspond, and another value for those that only look right, because production's has another partner.
    fn learn(
        &mut self,
        pairs: &[Pair],
        (own, created): (&HashSet<u64>, bool),
        mapped: &mut Mapped,
        now: Timestamp,
    ) -> Vec<Edit> {
        let mut edits = Vec::new();
        for pair in pairs {
            let Pair {
                place,
                production,
                shadow,
                at,
                belongs,
            } = pair;
            if *belongs != Belongs::Certainly {
                edits.extend(self.judge(pair, mapped, now));
                continue;
            }
            // Of most values it does not matter.
            let may_be_new = place.role != Role::Bare || Class::of(production).is_unique();
            let is_new = may_be_new && !own.contains(&self.known.key(place, production));
            let can_be_created = created && (production != shadow || Class::of(production) == Class::Digits);
            let values = (&production[..], &shadow[..]);
            let compared = match self.known.learn(place, values, (is_new, can_be_created), now) {
                Learned::Nothing => continue,
                Learned::New | Learned::Same => production.clone(),
                Learned::Conflict => {
                    let compared = self.not_equal(place, values, now);
                    self.conflict(mapped, (production, &compared));
                    compared
                }
            };
            if compared != *shadow
                && let Some((range, written)) = at
            {
                edits.push((range.clone(), written.literal(compared)));
            }
        }
        edits
    }

    /// Judges two values at the same position by what is known of them. Returns what to write for the shadow system's.
    fn judge(&mut self, pair: &Pair, mapped: &mut Mapped, now: Timestamp) -> Option<Edit> {
        let Pair {
            place,
            production,
            shadow,
            at,
            belongs,
        } = pair;
        let (range, written) = at.as_ref()?;
        let partner =
            |known: &mut Knowledge, place: &Place<'_>, value: &[u8]| match known.partner(place, value, now) {
                Partner::Is(partner) if partner != value => Some(partner),
                _ => None,
            };
        let compared = if production == shadow {
            // It only looks right.
            let reference = core::str::from_utf8(production).ok();
            let reference = reference.filter(|_| *belongs == Belongs::AsReference);
            let other = match reference {
                Some(text) => edit::url(text, &mut |place, value| partner(&mut self.known, place, value))
                    .map(String::into_bytes),
                None => partner(&mut self.known, place, production),
            }?;
            self.conflict(mapped, (production, &other));
            other
        } else if place.role == Role::Bare && self.known.same_words((production, shadow), now) {
            production.clone()
        } else {
            return None;
        };
        Some((range.clone(), written.literal(compared)))
    }

    /// Counts a conflict, and keeps the values by which its difference is found.
    fn conflict(&mut self, mapped: &mut Mapped, (production, compared): (&[u8], &[u8])) {
        let counters = &mut self.known.counters;
        counters.conflicts = counters.conflicts.saturating_add(1);
        if mapped.conflicts.len() < CONFLICTS {
            mapped.conflicts.push((production.to_vec(), compared.to_vec()));
        }
    }

    /// The value to compare in place of one that is not the partner of production's.
    fn not_equal(
        &mut self,
        place: &Place<'_>,
        (production, shadow): (&[u8], &[u8]),
        now: Timestamp,
    ) -> Vec<u8> {
        match self.known.partner(place, production, now) {
            Partner::Is(partner) if shadow == production => partner,
            _ => self
                .known
                .back(place, shadow, now)
                .unwrap_or_else(|| shadow.to_vec()),
        }
    }

    fn map_back(
        &mut self,
        shadow: &ShadowResponse,
        (path, document): (&str, Option<&Document<'_>>),
        by_pair: &[Edit],
        now: Timestamp,
    ) -> Option<ShadowResponse> {
        if self.known.is_empty() {
            return None;
        }
        let mut visit = |place: &Place<'_>, value: &[u8]| self.known.back(place, value, now);
        let headers = message::edit_fields(&shadow.headers, path, &mut visit);
        let content = document.and_then(|document| {
            let mut edits = document.edits(&Segments::subject(path), &mut visit);
            let paired: HashSet<usize> = by_pair.iter().map(|(range, _)| range.start).collect();
            edits.retain(|(range, _)| !paired.contains(&range.start));
            edits.extend(by_pair.iter().cloned());
            edits.sort_by_key(|(range, _)| range.start);
            edits.dedup_by_key(|(range, _)| range.start);
            edit::written(&document.text, edits)
        });
        if headers.is_none() && content.is_none() {
            return None;
        }
        let mut answer = ShadowResponse {
            headers: headers.unwrap_or_else(|| shadow.headers.clone()),
            ..shadow.clone()
        };
        if let Some(content) = content {
            answer.headers = message::without_coding(&answer.headers, content.len());
            answer.body = Body::whole(content);
        }
        Some(answer)
    }

    /// Maps the values of a further answer to the same request back, without learning from it.
    pub fn map(
        &mut self,
        exchange: &Exchange,
        shadow: &ShadowResponse,
        now: Timestamp,
    ) -> Option<ShadowResponse> {
        let path = message::path(&exchange.request);
        let document = message::document_of(&shadow.headers, &shadow.body);
        self.map_back(shadow, (&path, document.as_ref()), &[], now)
    }
}

impl Mapped {
    /// Names differences that say that an object is another one.
    pub fn name(&self, found: &mut [Discrepancy]) {
        let shown = |value: &str, of: &[u8]| value.trim_matches('"').as_bytes() == of;
        for difference in found {
            let may_be = matches!(difference.category, Category::Value | Category::Type);
            let is_one = |(production, shadow): &(Vec<u8>, Vec<u8>)| {
                shown(&difference.production, production) && shown(&difference.shadow, shadow)
            };
            if may_be && self.conflicts.iter().any(is_one) {
                difference.category = Category::Identity;
            }
        }
    }

    /// Whether any value has another partner.
    pub fn has_conflicts(&self) -> bool {
        !self.conflicts.is_empty()
    }
}
