//! Differences that others hide, and one change that shows in many places.

use super::*;

#[test]
fn an_answer_with_another_status_says_nothing_about_what_it_hides() {
    let mut ledger = ledger();
    let secret = [("authorization", "Bearer s3cr3t-t0ken-0123456789")];
    for number in 0..40 {
        for route in ["/a", "/b"] {
            let query = format!("{route}?sql={number}");
            get(&mut ledger, &query, &[], vec![status(200, 302)]);
            get(&mut ledger, &query, &secret, vec![status(200, 401)]);
            get(&mut ledger, &format!("{route}?n={number}"), &[], Vec::new());
            let list = format!("/list{route}");
            get(&mut ledger, &list, &secret, vec![status(200, 401)]);
            get(&mut ledger, &list, &[], vec![missing("$.x")]);
        }
    }
    let causes = causes(&ledger);
    let shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.change.as_str(), said(cause)))
        .collect();
    assert_eq!(
        shown,
        [
            (
                "status 200 -> 401",
                "160 of 160 carry Authorization; 0 of 160".to_owned()
            ),
            (
                "status 200 -> 302",
                "80 of 80 have the parameter sql; 0 of 160".to_owned()
            ),
            ("missing at $.x", "80 of 80 are below /list/; 0 of 80".to_owned()),
        ],
        "the lists without Authorization are no others: {causes:#?}"
    );
}

#[test]
fn one_name_in_two_encodings_is_one_parameter() {
    let mut ledger = ledger();
    for number in 0..40 {
        let name = if number % 2 == 0 { "a%5Bb%5D" } else { "a[b]" };
        get(&mut ledger, &format!("/x?{name}=1"), &[], vec![missing("$.x")]);
        get(&mut ledger, "/x?a=1", &[], Vec::new());
    }
    let causes = causes(&ledger);
    assert_eq!(
        causes.first().map(said).as_deref(),
        Some("40 of 40 have the parameter a%5Bb%5D=1; 0 of 40")
    );
}

#[test]
fn a_page_that_was_rewritten_is_one_cause() {
    let mut ledger = ledger();
    let lost = |place: &str| found(Category::Missing, place, "<p>", ABSENT);
    let rewritten = |count: usize| -> Vec<Discrepancy> {
        let places = [
            "head", "nav", "main", "form", "footer", "menu", "h1", "aside", "p",
        ];
        let places = places.iter().take(count);
        places.map(|place| lost(&format!("/html/body/{place}"))).collect()
    };
    for number in 0..60 {
        let mut page = rewritten(9);
        // Only some of the pages have a table, and others a list.
        let part = if number % 3 == 0 { "table" } else { "ul" };
        page.push(lost(&format!("/html/body/{part}")));
        get(&mut ledger, "/page", &[], page);
        // Another page of the new design.
        let others = ["a", "b", "i", "u", "dl", "dt", "dd", "em"];
        let other = others.map(|place| lost(&format!("/html/body/div/{place}")));
        get(&mut ledger, "/home", &[], other.to_vec());
        // A page that is the same but for two places.
        let mut few = rewritten(1);
        if number % 3 == 0 {
            few.push(lost("/html/body/table"));
        }
        get(&mut ledger, "/list", &[], few);
    }
    let causes = causes(&ledger);
    let mut shown: Vec<_> = causes
        .iter()
        .map(|cause| (cause.groups.len(), cause.exchanges, cause.routes.len()))
        .collect();
    shown.sort_unstable();
    let expected = [(1, 20, 1), (1, 60, 1), (19, 120, 2)];
    assert_eq!(shown, expected, "{causes:#?}");
}
