use super::*;
use crate::{
    evidence::{report, trend::Slicer},
    redact::RedactConfig,
};

fn ranked(groups: &Groups) -> Vec<report::Group> {
    let standings = groups.standings(|_| Whole::default());
    groups.ranked(&Slicer::default(), &standings, |_| Whole::default())
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
        route_id: RouteId::OTHER,
        route: "GET /x",
        target: b"/x?token=abc",
        exchange: exchange + 1,
        now: Timestamp::from_nanos(1000 + exchange),
        slice: 0,
        after_write: false,
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
    let ranked = ranked(&groups);
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
    assert_eq!(ranked(&groups).len(), 50);
    assert_eq!(groups.overflow(), 100_000 - 50);
}
