//! Random programs against two stores with their own identifiers, and a capture that loses exchanges.
//!
//! The truth is known: each object of production has one of the shadow system, or none. Every request that is sent is
//! checked against it.

use std::collections::HashMap;

use shadow_core::values::Introduced;
use shadow_proto::testing::Random;

use super::*;

const STEPS: u32 = 100_000;

/// How a store makes its identifiers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Made {
    Counted,
    Uuid,
}

/// One system: what each object is, by its identifier.
struct Store {
    next: u64,
    random: Random,
    objects: HashMap<String, u32>,
    tags: HashMap<String, u64>,
}

impl Store {
    fn new(next: u64, seed: u64) -> Self {
        Self {
            next,
            random: Random(seed),
            objects: HashMap::new(),
            tags: HashMap::new(),
        }
    }

    fn create(&mut self, made: Made, what: u32) -> String {
        let id = match made {
            Made::Counted => {
                self.next += 1;
                self.next.to_string()
            }
            Made::Uuid => {
                let (a, b) = (self.random.number(), self.random.number());
                let part = |n: u64| n & 0xffff_ffff;
                format!(
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    part(a),
                    a >> 48,
                    b >> 52,
                    b & 0xfff,
                    a ^ b & 0xffff_ffff_ffff
                )
                .chars()
                .take(36)
                .collect()
            }
        };
        self.objects.insert(id.clone(), what);
        self.tags.insert(id.clone(), self.random.number());
        id
    }

    /// The body of an object: with its total, a reference to its owner, and a page that looks like an identifier.
    fn body(&self, id: &str, made: Made, owner: &str) -> String {
        let quoted = |id: &str| {
            if made == Made::Uuid {
                format!("{id:?}")
            } else {
                id.to_owned()
            }
        };
        let what = self.objects[id];
        format!(
            r#"{{"id":{},"what":{what},"page":{},"owner_id":{}}}"#,
            quoted(id),
            what % 9,
            quoted(owner)
        )
    }
}

#[derive(Default)]
struct Tally {
    sent: u32,
    unknown: u32,
    lost: u32,
    planted: u32,
    found: u32,
}

/// The object of the shadow system for one of production's, by what both were made for.
fn partner(shadow: &Store, what: u32) -> Option<&String> {
    shadow
        .objects
        .iter()
        .find(|(_, other)| **other == what)
        .map(|(id, _)| id)
}

#[expect(clippy::too_many_lines, reason = "one program")]
fn run(made: Made, seed: u64, steps: u32) -> Tally {
    let (mut production, mut shadow) = (Store::new(8000, seed), Store::new(900, seed ^ 0x4d));
    let mut values = values();
    let mut random = Random(seed);
    let mut tally = Tally::default();
    let mut ids: Vec<String> = Vec::new();
    let owner = production.create(made, u32::MAX);
    let other_owner = owner.clone();
    shadow.objects.insert(other_owner.clone(), u32::MAX);
    for step in 0..steps {
        let loses = random.one_in(10);
        let action = random.number() % 6;
        if ids.is_empty() || action == 0 {
            let id = production.create(made, step);
            let body = production.body(&id, made, &owner);
            let location = format!("/orders/{id}");
            let created = exchange(
                "POST",
                "/orders",
                &[],
                "",
                Said(201, &[("Location", &location)], &body),
            );
            ids.push(id);
            if ids.len() > 40 {
                ids.remove(0);
            }
            if loses {
                // Incomplete, or dropped: only its answer is known.
                let introduced = values.introduced(&created, NOW);
                values.lost(&introduced, NOW);
                tally.lost += 1;
                continue;
            }
            let id = shadow.create(made, step);
            let (location, body) = (format!("/orders/{id}"), shadow.body(&id, made, &other_owner));
            let (text, conflict) = compared(
                &mut values,
                &created,
                Said(201, &[("Location", &location)], &body),
            );
            assert!(!conflict, "step {step}");
            assert_eq!(
                text,
                String::from_utf8_lossy(&created.response.as_ref().unwrap().body.kept)
            );
            continue;
        }
        let id = ids[usize::try_from(random.number()).unwrap_or(0) % ids.len()].clone();
        let what = production.objects[&id];
        let wanted = partner(&shadow, what).cloned();
        let page = what % 9;
        let path = match action {
            1 => format!("/orders/{id}?page={page}"),
            2 => format!("/orders?page={page}&order_id={id}"),
            3 => format!("/orders/{id}/lines/{page}?limit={page}"),
            _ => format!("/orders/{id}"),
        };
        let sent = target(&mut values, &path);
        match (&sent, &wanted) {
            (Ok(sent), Some(wanted)) => {
                tally.sent += 1;
                assert_eq!(
                    *sent,
                    path.replacen(&id, wanted, 1),
                    "step {step}: a foreign identifier"
                );
            }
            (Err(SkipPolicy::ValueUnknown), None) => {
                tally.unknown += 1;
                continue;
            }
            other => panic!("step {step}: {other:?} for {path}"),
        }
        let wanted = wanted.unwrap();
        if action >= 4 && !loses {
            let read = exchange(
                "GET",
                &path,
                &[],
                "",
                Said(200, &[], &production.body(&id, made, &owner)),
            );
            let plants = random.one_in(20);
            let answered = if plants {
                // Another object, with the same content otherwise.
                let mut other = shadow
                    .objects
                    .keys()
                    .find(|key| **key != wanted)
                    .cloned()
                    .unwrap();
                if other == other_owner {
                    other = shadow.create(made, what);
                    shadow.objects.remove(&other);
                }
                shadow
                    .body(&wanted, made, &other_owner)
                    .replacen(&wanted, &other, 1)
            } else {
                shadow.body(&wanted, made, &other_owner)
            };
            let introduced: Introduced = values.introduced(&read, NOW);
            let said = self::shadow(Said(200, &[], &answered));
            let mapped = values.answered(&read, &introduced, &said, NOW);
            let answer = mapped.answer.as_ref().unwrap_or(&said);
            let is_equal = answer.body.kept == read.response.as_ref().unwrap().body.kept;
            tally.planted += u32::from(plants);
            tally.found += u32::from(plants && !is_equal && mapped.has_conflicts());
            assert_eq!(is_equal, !plants, "step {step}: {answered} for {path}");
        }
    }
    tally
}

#[test]
fn no_request_is_sent_with_a_foreign_identifier() {
    for (made, seed) in [(Made::Counted, 1), (Made::Uuid, 2)] {
        let tally = run(made, seed, STEPS / 2);
        let Tally {
            sent,
            unknown,
            lost,
            planted,
            found,
        } = tally;
        assert!(
            sent > STEPS / 4 && unknown > 1000 && lost > 500,
            "{made:?}: {sent} {unknown} {lost}"
        );
        assert!(planted > 500, "{planted}");
        assert_eq!(planted, found, "{made:?}");
    }
}
