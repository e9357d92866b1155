use super::*;
use crate::{
    compare::Category,
    evidence::{report, trend::Slicer},
    redact::RedactConfig,
};

fn ranked(groups: &Groups) -> Vec<report::Group> {
    let standings = groups.standings(|_| Denominators::default());
    groups.ranked(&Slicer::default(), &standings, |_| Denominators::default())
}

fn add(groups: &mut Groups, exchange: u64, place: &str) {
    let redactor = Redactor::new([0; 32], &RedactConfig::default());
    let found = Discrepancy {
        category: Category::Value,
        place: place.to_owned(),
        production: format!("\"{exchange}\""),
        shadow: "\"ann@example.org\"".to_owned(),
        leaves: 1,
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
        answers: None,
    };
    groups.add(context, found.category.as_str(), &found);
}

#[test]
fn equal_discrepancies_are_one_group_with_bounded_samples() {
    let mut groups = Groups::new(10, 2);
    for exchange in 0..100 {
        add(&mut groups, exchange, "$.a[0].b");
        add(&mut groups, exchange, "$.a[0].b");
        add(&mut groups, exchange, "$.a[1].b");
    }
    add(&mut groups, 100, "$.c");
    let ranked = ranked(&groups);
    let places: Vec<_> = ranked
        .iter()
        .map(|group| (group.place.as_str(), group.exchanges, group.discrepancies))
        .collect();
    assert_eq!(places.len(), 3, "{places:?}");
    assert!(
        places.contains(&("$.a[0].b", 100, 200)) && places.contains(&("$.a[1].b", 100, 100)),
        "one element never excuses another: {places:?}"
    );
    let first = ranked
        .iter()
        .find(|group| group.place == "$.a[0].b")
        .unwrap_or(&ranked[0]);
    assert_eq!(
        (first.first_ns, first.last_ns, first.samples.len()),
        (1000, 1099, 2)
    );
    assert_eq!(first.samples[1].production, "\"1\"", "of two exchanges");
    let text = format!("{ranked:?}");
    assert!(!text.contains("ann@") && !text.contains("abc"), "{text}");
}

#[test]
fn what_is_keyed_by_data_becomes_one_group() {
    let mut groups = Groups::new(1000, 2);
    for exchange in 0..60 {
        for word in 0..10 {
            add(
                &mut groups,
                exchange,
                &format!("$.stock.w{}", exchange * 7 + word * 13),
            );
        }
        add(&mut groups, exchange, "$.total");
    }
    let ranked = ranked(&groups);
    let places: Vec<_> = ranked
        .iter()
        .map(|group| (group.place.as_str(), group.exchanges, group.discrepancies))
        .collect();
    assert!(
        places.len() == 2 && places.contains(&("$.total", 60, 60)),
        "{places:?}"
    );
    let (place, exchanges, discrepancies) = places[usize::from(places[0].0 == "$.total")];
    assert_eq!((place, discrepancies), ("$.stock.*", 600));
    assert!(exchanges > 55, "{exchanges}");
}

#[test]
fn keys_that_only_one_answer_has_say_nothing_about_the_values_of_others() {
    let redactor = Redactor::new([0; 32], &RedactConfig::default());
    let context = |exchange: u64| Context {
        route_id: RouteId::OTHER,
        route: "GET /x",
        target: b"/x",
        exchange,
        now: Timestamp::from_nanos(1000),
        slice: 0,
        after_write: false,
        redactor: &redactor,
        answers: None,
    };
    let found = |category: Category, key: u64| Discrepancy {
        category,
        place: format!("$.stock.w{key}"),
        production: "1".to_owned(),
        shadow: "99".to_owned(),
        leaves: 1,
    };
    let mut groups = Groups::new(1000, 2);
    for exchange in 1..60 {
        for key in 0..10 {
            let found = found(Category::Missing, exchange * 7 + key * 13);
            groups.add(context(exchange), found.category.as_str(), &found);
        }
        let wrong = found(Category::Value, exchange);
        groups.add(context(exchange), wrong.category.as_str(), &wrong);
        // The second answer has other keys than the first one, and a wrong value of another key.
        let others: Vec<_> = (0..9).map(|key| found(Category::Missing, 900 + key)).collect();
        let thirds = ThirdAnswer {
            found: &[wrong],
            itself: &others,
            other: &[&others[..3], &[found(Category::Value, 5)]].concat(),
            is_close: true,
        };
        assert!(groups.thirds(context(0), ThirdSystem::Shadow, thirds));
    }
    let all = groups
        .all
        .iter()
        .filter(|group| group.category == Category::Value.as_str());
    let counted: Vec<_> = all
        .flat_map(|group| &group.atoms)
        .map(|(_, atom)| groups.atoms[groups.resolved(*atom).0 as usize].thirds[ThirdSystem::Shadow as usize])
        .collect();
    let (stays, others) = counted.iter().fold((0, 0), |(stays, others), third| {
        (stays + third.stays, others + third.all() - third.stays)
    });
    assert!(stays > 50 && others < 5, "{counted:?}");
}

#[test]
fn a_hundred_thousand_places_stay_bounded() {
    let mut groups = Groups::new(50, 3);
    for exchange in 0..100_000u64 {
        add(&mut groups, exchange, &format!("$.a{}.b{exchange}", exchange / 4));
    }
    assert!(ranked(&groups).len() <= 50);
    // One for each group, and those that groups are merged into.
    assert!(groups.size().2 <= 150, "{:?}", groups.size());
}
