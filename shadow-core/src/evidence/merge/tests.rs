use core::time::Duration;

use proptest::prelude::*;

use shadow_common::stat::Stat;
use shadow_proto::{
    engine::Counters,
    exchange::{Body, Exchange, Headers, Incomplete},
    testing::{Random, exchange},
    time::Timestamp,
};

use super::*;
use crate::{
    compare::{Category, Checked, Discrepancy, Failure, Outcome, ShadowResponse, Verdict},
    evidence::{
        Background, CoverageWindows, Ruling, ThirdAnswer, ThirdSystem, report::Trend, testing::answered,
    },
    gate::{Skip, SkipPolicy},
    plant::{Planted, Tried},
};

const ROUTES: [&str; 4] = ["/", "/orders/7", "/feed", "/login"];

fn ledger() -> Ledger {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor).expecting_pairs(true)
}

fn origin(node: usize, run: usize) -> Origin {
    Origin {
        node: format!("node-{node}"),
        run: run.to_string(),
        target: "shadow".to_owned(),
    }
}

fn source(ledger: &Ledger, origin: Origin, sequence: u64, later: u64) -> Source {
    let mut kernel = KernelCounters::default();
    kernel.set(Stat::Seen, 10);
    Source {
        origin,
        sequence,
        place: 0,
        settings: ledger.settings(Rules::default()),
        started_ms: 0,
        ended_ms: 600_000,
        kernel,
        engine: Counters::default(),
        notes: BTreeMap::new(),
        scope: Scope::default(),
        rules: Vec::new(),
        state: ledger.state(later),
    }
}

/// As it is read back from a file.
fn stored(evidence: &Evidence) -> Evidence {
    let text = serde_json::to_string(evidence).expect("writes");
    serde_json::from_str(&text).expect("reads")
}

fn difference(random: &mut Random) -> Discrepancy {
    let number = random.number();
    let (category, place, production, shadow) = match number % 6 {
        0 => (
            Category::Value,
            "$.token",
            format!("\"{number:016x}\""),
            format!("\"{:016x}\"", !number),
        ),
        1 => (Category::Value, "$.price", "12.5".to_owned(), "12.51".to_owned()),
        2 => (
            Category::Missing,
            "$.tier",
            "\"gold\"".to_owned(),
            "(absent)".to_owned(),
        ),
        3 => (
            Category::Added,
            "$.tier",
            "(absent)".to_owned(),
            "\"gold\"".to_owned(),
        ),
        4 => (Category::Status, "status", "200".to_owned(), "404".to_owned()),
        _ => (
            Category::Value,
            "$.state",
            "\"new\"".to_owned(),
            "null".to_owned(),
        ),
    };
    Discrepancy {
        category,
        place: place.to_owned(),
        production,
        shadow,
        leaves: 1,
    }
}

fn answer(random: &mut Random, status: u16) -> Outcome {
    let span = |random: &mut Random| Duration::from_micros(500 + random.number() % 40_000);
    Outcome::Response(ShadowResponse {
        status,
        headers: Headers::default(),
        trailers: Headers::default(),
        body: Body::default(),
        first_byte: span(random),
        total: span(random),
    })
}

/// One event of a node, on its ledger and on that which sees everything.
fn event(ledgers: &mut [&mut Ledger], random: &mut Random, now: Timestamp) {
    let route = usize::try_from(random.number() % 4).expect("small");
    let asked: Exchange = exchange("GET", ROUTES[route]);
    let kind = random.number() % 16;
    let found: Vec<Discrepancy> = (0..=random.number() % 2).map(|_| difference(random)).collect();
    let leaves = random.number() % 5;
    let verdict = match kind {
        0..8 => Verdict::Match,
        8..12 => Verdict::Mismatch(found.clone()),
        _ => Verdict::ShadowError(Failure::Timeout),
    };
    let status = if random.one_in(30) { 503 } else { 200 };
    let outcome = if let Verdict::ShadowError(failure) = verdict {
        Outcome::Failed(failure)
    } else {
        answer(random, status)
    };
    let itself = if random.one_in(2) {
        found.clone()
    } else {
        Vec::new()
    };
    for ledger in ledgers {
        if kind == 13 {
            let pairs = [Background::Control, Background::Recurring, Background::Twice];
            ledger.background(&asked, pairs[route % 3], &found, now);
            continue;
        }
        if kind == 14 {
            let thirds = ThirdAnswer {
                found: &found,
                itself: &itself,
                other: &found,
                is_close: true,
            };
            let system = [ThirdSystem::Production, ThirdSystem::Shadow][route % 2];
            ledger.third(&asked, system, thirds, now);
            continue;
        }
        ledger.seen(&asked);
        if kind == 15 {
            let skips = [
                Skip::Policy(SkipPolicy::QueueFull),
                Skip::Policy(SkipPolicy::OutOfShare),
                Skip::Incomplete(Incomplete::ResponseGap),
                Skip::Incomplete(Incomplete::NoResponse),
            ];
            ledger.skipped(&asked, skips[route]);
            continue;
        }
        ledger.judged(&asked, &outcome, &verdict, now);
        let mut checked = Checked::default();
        checked.exact.leaves = 6 + leaves;
        checked.exact.bytes = 60;
        checked.not.leaves = route as u64;
        ledger.checked(&asked, checked);
        ledger.planted(&asked, &tried(Planted::ALL[route], &found[0], &itself));
    }
}

fn tried(kind: Planted, at: &Discrepancy, found: &[Discrepancy]) -> Tried {
    Tried {
        kind,
        place: at.place.clone(),
        found: found.to_vec(),
    }
}

/// A report without the parts that depend on the order of events, or are not stored.
fn comparable(mut report: Report) -> Report {
    report.causes.clear();
    report.sources.clear();
    report.scope = Scope::default();
    // Windows of more than a second begin with the first exchange of each node.
    report.coverage_windows = CoverageWindows::default();
    report.target.clear();
    report.funnel.kernel = KernelCounters::default();
    for group in &mut report.groups {
        group.trend = Trend::default();
        group.samples.clear();
    }
    report
}

/// Runs some nodes for some events, in one ledger as well. Node clocks begin at different times.
fn run(seed: u64, nodes: usize, events: u64) -> (Ledger, Vec<Ledger>, Vec<u64>) {
    let mut random = Random(seed);
    let mut single = ledger();
    let mut parts: Vec<Ledger> = (0..nodes).map(|_| ledger()).collect();
    let later: Vec<u64> = (0..nodes as u64).map(|node| node * 7_000_000_000).collect();
    let mut second = 1_000;
    for number in 0..events {
        if number == events / 2 && random.one_in(2) {
            single.rules_changed();
            parts.iter_mut().for_each(Ledger::rules_changed);
        }
        second += if random.one_in(6) { random.number() % 40 } else { 0 };
        let node = usize::try_from(random.number()).expect("64 bits") % nodes;
        let now = Timestamp::from_nanos(second * 1_000_000_000);
        let mut same = Random(random.number());
        let mut again = Random(same.0);
        event(&mut [&mut single], &mut same, now);
        let local = Timestamp::from_nanos(now.as_nanos() - later[node]);
        event(&mut [&mut parts[node]], &mut again, local);
    }
    (single, parts, later)
}

fn evidence(parts: &[Ledger], later: &[u64]) -> Vec<Evidence> {
    let sources = parts.iter().zip(later).enumerate();
    sources
        .map(|(node, (part, later))| Evidence::of(vec![source(part, origin(node, 0), 1, *later)]))
        .collect()
}

fn together(parts: impl IntoIterator<Item = Evidence>) -> Evidence {
    parts.into_iter().fold(Evidence::default(), Evidence::merge)
}

/// The places at which two reports differ.
fn differences(a: &Report, b: &Report) -> Vec<String> {
    fn walk(path: &str, a: &Value, b: &Value, found: &mut Vec<String>) {
        match (a, b) {
            (Value::Object(x), Value::Object(y)) if x.len() == y.len() => {
                for (key, value) in x {
                    let other = y.get(key).unwrap_or(&Value::Null);
                    walk(&format!("{path}.{key}"), value, other, found);
                }
            }
            (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
                for (at, (value, other)) in x.iter().zip(y).enumerate() {
                    walk(&format!("{path}[{at}]"), value, other, found);
                }
            }
            (a, b) if a == b => {}
            (a, b) => found.push(format!("{path}: {a} and {b}")),
        }
    }
    let value = |report: &Report| serde_json::to_value(report).expect("writes");
    let mut found = Vec::new();
    walk("", &value(a), &value(b), &mut found);
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn merged_evidence_is_that_of_one_ledger_that_saw_everything(
        seed in any::<u64>(), nodes in 1_usize..6, events in 0_u64..400,
    ) {
        let (single, parts, later) = run(seed, nodes, events);
        let merged = stored(&together(evidence(&parts, &later)));
        let inputs = ReportInputs { started_ms: 0, now_ms: 600_000, ..ReportInputs::default() };
        let (merged, single) = (merged.report().expect("one configuration"), single.report(inputs));
        prop_assert_eq!(merged.sources.len(), nodes);
        let found = differences(&comparable(merged), &comparable(single));
        prop_assert!(found.is_empty(), "{found:#?}");
    }

    #[test]
    fn merging_is_commutative_associative_and_idempotent(seed in any::<u64>(), at in 0_u64..300) {
        let mut random = Random(seed);
        let mut states: Vec<Evidence> = Vec::new();
        for node in 0..2 {
            let mut ledger = ledger();
            for sequence in 0..3 {
                let events = random.number() % 60 + at / 10;
                for number in 0..events {
                    event(&mut [&mut ledger], &mut random, Timestamp::from_nanos(number * 500_000_000));
                }
                let origin = origin(node, usize::from(random.one_in(3)));
                states.push(Evidence::of(vec![source(&ledger, origin, sequence, 0)]));
            }
        }
        let pick = |random: &mut Random| {
            together(states.iter().filter(|_| random.one_in(2)).cloned())
        };
        let (a, b, c) = (pick(&mut random), pick(&mut random), pick(&mut random));
        let ab = a.clone().merge(b.clone());
        prop_assert_eq!(&ab, &b.clone().merge(a.clone()));
        prop_assert_eq!(ab.clone().merge(c.clone()), a.clone().merge(b.clone().merge(c)));
        prop_assert_eq!(&ab.clone().merge(a.clone()), &ab);
        prop_assert_eq!(&ab.clone().merge(b), &ab);
        prop_assert_eq!(&a.clone().merge(a.clone()), &a);
        if let (Ok(report), Ok(again)) = (ab.report(), stored(&ab).report()) {
            let found = differences(&report, &again);
            prop_assert!(found.is_empty(), "{found:#?}");
        }
    }
}

#[test]
fn a_later_state_of_a_ledger_takes_the_place_of_an_earlier_one() {
    let (mut random, mut ledger) = (Random(3), ledger());
    let mut some = |ledger: &mut Ledger| {
        for number in 0..50 {
            event(&mut [ledger], &mut random, Timestamp::from_nanos(number));
        }
    };
    some(&mut ledger);
    let early = Evidence::of(vec![source(&ledger, origin(0, 0), 4, 0)]);
    some(&mut ledger);
    let late = Evidence::of(vec![source(&ledger, origin(0, 0), 5, 0)]);
    assert_eq!(late.clone().merge(early.clone()), late);
    assert_eq!(early.merge(late.clone()), late);
    // Two runs of one node are two ledgers.
    let other = Evidence::of(vec![source(&ledger, origin(0, 1), 5, 0)]);
    let both = late.clone().merge(other).report().expect("the same settings");
    let one = late.report().expect("one");
    assert_eq!(both.funnel.exchanges, 2 * one.funnel.exchanges);
    assert_eq!(both.funnel.kernel(Stat::Seen), 20);
    assert_eq!(
        both.sources.iter().map(|source| source.share).collect::<Vec<_>>(),
        [Some(0.5); 2]
    );
}

#[test]
fn counts_by_other_settings_are_refused() {
    let plain = source(&ledger(), origin(0, 0), 0, 0);
    let mut other = source(&ledger(), origin(1, 0), 0, 0);
    other.settings.compare.ignore = vec!["$.a".parse().expect("a path")];
    other.settings.gates.verified = 0.5;
    let error = Evidence::of(vec![plain.clone(), other])
        .report()
        .expect_err("mixed");
    assert_eq!(
        error.to_string(),
        "node-0 (0, target shadow) and node-1 (0, target shadow) were counted by different settings (compare.ignore, \
         gates.verified), so their counts say nothing together; merge runs with the same configuration"
    );
    // Another target has settings of its own.
    let mut also = source(&ledger(), origin(1, 0), 0, 0);
    also.origin.target = "canary".to_owned();
    also.place = 1;
    also.settings.gates.verified = 0.5;
    let report = Evidence::of(vec![also, plain]).report().expect("two targets");
    assert_eq!(
        (report.target.as_str(), report.also[0].target.as_str()),
        ("shadow", "canary")
    );
    assert_eq!(Evidence::default().report(), Err(MergeError::Nothing));
}

#[test]
fn damaged_evidence_is_named_and_harms_nothing() {
    let (_, parts, later) = run(5, 1, 30);
    let text = serde_json::to_string(&together(evidence(&parts, &later))).expect("writes");
    let value: Value = serde_json::from_str(&text).expect("reads");
    // Some of its numbers in turn are too large.
    let mut count = 0;
    let mut damaged = 0;
    while let Some(changed) = with_number(&value, count) {
        count += 5;
        if let Ok(evidence) = serde_json::from_value::<Evidence>(changed)
            && let Err(MergeError::Damaged(origin)) = evidence.report()
        {
            assert!(origin.node.starts_with("node-"));
            damaged += 1;
        }
    }
    assert!(
        count > 200 && damaged > 1,
        "{count} numbers, {damaged} of them refused"
    );
    let unknown = text.replace("\"queue_full\"", "\"of_tomorrow\"");
    let evidence: Evidence = serde_json::from_str(&unknown).expect("reads");
    assert!(matches!(evidence.report(), Err(MergeError::Damaged(_))));
}

/// The same document with its number `at` replaced by a large one; `None` if there are fewer.
fn with_number(value: &Value, at: usize) -> Option<Value> {
    fn visit(value: &mut Value, left: &mut Option<usize>) {
        match value {
            Value::Number(_) => match left {
                Some(0) => {
                    *value = Value::from(4_000_000_000_u64);
                    *left = None;
                }
                Some(more) => *more -= 1,
                None => {}
            },
            Value::Array(items) => items.iter_mut().for_each(|item| visit(item, left)),
            Value::Object(members) => members.values_mut().for_each(|item| visit(item, left)),
            _ => {}
        }
    }
    let (mut changed, mut left) = (value.clone(), Some(at));
    visit(&mut changed, &mut left);
    left.is_none().then_some(changed)
}

#[test]
fn what_one_node_recognises_as_data_is_data_for_all() {
    let differ = |ledger: &mut Ledger, ids: core::ops::Range<u64>| {
        for id in ids {
            let asked = exchange("GET", "/feed");
            let found = Discrepancy {
                category: Category::Value,
                place: format!("$.items[id={id}].price"),
                production: "1".to_owned(),
                shadow: "2".to_owned(),
                leaves: 1,
            };
            let outcome = answer(&mut Random(id), 200);
            ledger.seen(&asked);
            ledger.planted(
                &asked,
                &Tried {
                    kind: Planted::Value,
                    place: found.place.clone(),
                    found: vec![found.clone()],
                },
            );
            ledger.judged(
                &asked,
                &outcome,
                &Verdict::Mismatch(vec![found]),
                Timestamp::from_nanos(id * 1_000_000_000),
            );
        }
    };
    let (mut knows, mut does_not) = (ledger(), ledger());
    differ(&mut knows, 0..60);
    differ(&mut does_not, 100..104);
    let parts = [knows, does_not];
    assert_eq!(parts[1].report(ReportInputs::default()).groups.len(), 4);
    let report = together(evidence(&parts, &[0, 0]))
        .report()
        .expect("one configuration");
    let places: Vec<_> = report.groups.iter().map(|group| group.place.as_str()).collect();
    assert_eq!(places, ["$.items[*].price"]);
    assert_eq!(report.funnel.undecided, 64);
    assert_eq!(report.power.caught.trials, 64);
}

/// Part of a uniform sample: a node with few planted faults has few of those that are kept.
#[test]
fn planted_faults_count_by_how_many_there_were() {
    let plant = |count: usize, is_found: bool| {
        let mut ledger = ledger();
        let asked = exchange("GET", "/");
        ledger.seen(&asked);
        ledger.judged(
            &asked,
            &answer(&mut Random(1), 200),
            &Verdict::Match,
            Timestamp::from_nanos(1),
        );
        let found = difference(&mut Random(8));
        let tried = Tried {
            kind: Planted::Value,
            place: found.place.clone(),
            found: is_found.then_some(found).into_iter().collect(),
        };
        (0..count).for_each(|_| ledger.planted(&asked, &tried));
        ledger
    };
    let parts = [plant(30_000, true), plant(10_000, false)];
    let power = together(evidence(&parts, &[0, 0]))
        .report()
        .expect("one configuration")
        .power;
    assert_eq!(power.planted, 40_000);
    assert!(
        power.caught.rate.is_some_and(|rate| (rate - 0.75).abs() < 0.01),
        "{power:?}"
    );
}

#[test]
fn a_go_of_many_nodes_needs_no_go_of_any() {
    let parts: Vec<Ledger> = (0..10)
        .map(|node| {
            let mut ledger = ledger();
            for number in 0..700_u64 {
                let asked = exchange("GET", "/");
                ledger.seen(&asked);
                let outcome = answered(200, Duration::from_millis(3));
                let now = Timestamp::from_nanos((number * 10 + node) * 100_000_000);
                ledger.judged(&asked, &outcome, &Verdict::Match, now);
            }
            ledger
        })
        .collect();
    let one = parts[0].report(ReportInputs {
        now_ms: 600_000,
        ..ReportInputs::default()
    });
    assert_eq!(one.judgement.ruling, Ruling::InsufficientEvidence);
    let all = together(evidence(&parts, &[0; 10]))
        .report()
        .expect("one configuration");
    assert_eq!(all.judgement.ruling, Ruling::Go, "{:#?}", all.judgement);
}
