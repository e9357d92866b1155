//! The same service on both sides, with the noise of a real one: identifiers, times, jitter, members that come and go,
//! and sets in random order, in small answers and in a list of two hundred elements. GO is reached without any rule.

use core::{fmt::Write as _, time::Duration};
use std::collections::BTreeMap;

use shadow_proto::{
    exchange::{Body, Headers},
    testing::{Random, exchange},
    time::Timestamp,
};

use super::*;
use crate::{
    compare::{Comparator, Rules, ShadowResponse, Side},
    evidence::{
        Ruling, ThirdAnswer, ThirdSystem,
        report::{Report, ReportInputs},
        testing::asked_again,
    },
    redact::RedactConfig,
};

/// Routes, and how often each is asked in a round.
const ROUTES: [(&str, u64); 8] = [
    ("/items", 3),
    ("/items/{}", 8),
    ("/search/{}", 4),
    ("/orders/{}", 4),
    ("/customers/{}", 3),
    ("/coupons/{}", 3),
    ("/terms", 2),
    ("/catalog", 1),
];

fn item(id: u64, random: &mut Random, out: &mut String) {
    let mut tags = [
        format!("\"room-{}\"", id % 5),
        format!("\"series-{}\"", id % 11),
        "\"new\"".to_owned(),
        "\"delivered\"".to_owned(),
    ];
    for at in (1..tags.len()).rev() {
        tags.swap(
            at,
            usize::try_from(random.number() % (at as u64 + 1)).expect("small"),
        );
    }
    write!(
        out,
        "{{\"id\":{id},\"name\":\"Oak table {id}\",\"price\":{}.{:02},\"tags\":[{}]}}",
        id * 7919 % 9803,
        id % 100,
        tags.join(",")
    )
    .expect("a string");
}

fn items(from: u64, count: u64, random: &mut Random) -> String {
    let mut out = "\"items\":[".to_owned();
    for id in from..from + count {
        if id > from {
            out.push(',');
        }
        item(id, random, &mut out);
    }
    out + "]"
}

fn body(route: &str, id: u64, now: u64, random: &mut Random) -> String {
    let content = match route {
        "/items" => items(1, 20, random),
        "/catalog" => items(1, 200, random),
        "/search/{}" => items(id % 50, 5, random),
        "/items/{}" => {
            let viewers = 950 + random.number() % 101;
            let badge = if random.one_in(3) {
                ",\"badge\":\"popular\""
            } else {
                ""
            };
            let mut out = "\"item\":".to_owned();
            item(id, random, &mut out);
            format!("{out},\"viewers\":{viewers}{badge}")
        }
        "/orders/{}" => format!("\"id\":{id},\"state\":\"sent\",{}", items(id, 2, random)),
        "/customers/{}" => format!(
            "\"id\":{id},\"name\":\"Customer {id}\",\"points\":{}",
            id * 3 % 1000
        ),
        "/coupons/{}" => format!("\"id\":{id},\"percent\":{}", 5 + id % 20),
        _ => return "Goods stay ours until they are paid.".to_owned(),
    };
    format!(
        "{{{content},\"request_id\":\"p-{:08x}-{:06}\",\"generated_at\":\"{}.{:06}\"}}",
        random.number() & 0xffff_ffff,
        random.number() % 1_000_000,
        1_790_000_000 + now / 1_000,
        random.number() % 1_000_000
    )
}

struct Shop {
    ledger: Ledger,
    comparator: Comparator,
    random: Random,
    budget: f64,
    /// Mismatches that wait for production's next answer.
    doubts: BTreeMap<String, (ShadowResponse, ShadowResponse, Vec<Discrepancy>)>,
}

impl Shop {
    fn answer(&mut self, route: &str, id: u64, now: u64) -> ShadowResponse {
        let media = if route == "/terms" {
            "text/plain"
        } else {
            "application/json"
        };
        ShadowResponse {
            status: 200,
            headers: Headers::from_pairs([("content-type", media)]),
            trailers: Headers::default(),
            body: Body::whole(body(route, id, now, &mut self.random)),
            first_byte: Duration::from_millis(3),
            total: Duration::from_millis(3),
        }
    }

    fn visit(&mut self, number: u64, route: &str, id: u64) {
        let target = route.replace("{}", &id.to_string());
        // A hundred requests a second.
        let now = number * 10;
        let (production, shadow) = (self.answer(route, id, now), self.answer(route, id, now));
        let mut exchange = exchange("GET", &target);
        if let Some(answer) = &mut exchange.response {
            answer.headers = production.headers.clone();
            answer.body = production.body.clone();
        }
        let outcome = Outcome::Response(shadow.clone());
        let verdict = self.comparator.verdict(&exchange, &outcome);
        let at = Timestamp::from_nanos(now * 1_000_000);
        self.ledger.seen(&exchange);
        let wanted = self.ledger.judged(&exchange, &outcome, &verdict, at);
        if wanted.leaves {
            let checked =
                self.comparator
                    .checked(&exchange.request, Side::from(&production), Side::from(&shadow));
            self.ledger.checked(&exchange, checked);
        }
        let compare = |a: &ShadowResponse, b: &ShadowResponse| {
            self.comparator
                .compare(&exchange.request, Side::from(a), Side::from(b))
        };
        if let Some((before, other, found)) = self.doubts.remove(&target) {
            let thirds = ThirdAnswer {
                found: &found,
                itself: &compare(&before, &production),
                other: &compare(&production, &other),
                is_close: false,
            };
            self.ledger.third(&exchange, ThirdSystem::Production, thirds, at);
        }
        let found = match verdict {
            Verdict::Mismatch(found) => found,
            _ => Vec::new(),
        };
        self.budget = (self.budget + 0.05).min(32.0);
        let random = self.random.one_in(if self.budget >= 16.0 { 20 } else { 80 });
        if random || (self.budget >= 1.0 && !found.is_empty() && self.ledger.is_open(&exchange, &found)) {
            self.budget -= 1.0;
            let again = self.answer(route, id, now);
            asked_again(
                (&mut self.ledger, &self.comparator),
                &exchange,
                [&production, &shadow, &again],
                (&found, random),
                at,
            );
        }
        if !found.is_empty() && self.doubts.len() < 512 {
            self.doubts.insert(target, (production, shadow, found));
        }
    }
}

fn visits() -> Vec<(&'static str, u64)> {
    ROUTES
        .iter()
        .flat_map(|(route, times)| (0..*times).map(move |time| (*route, time)))
        .collect()
}

fn shop(exchanges: u64, each: u64, mut look: impl FnMut(u64, &Report)) {
    let redactor = Redactor::new([1; 32], &RedactConfig::default());
    let ledger = Ledger::new(LedgerLimits::default(), GateConfig::default(), redactor);
    let mut shop = Shop {
        ledger: ledger.expecting_pairs(true),
        comparator: Comparator::new(Rules::default()).expect("rules"),
        random: Random(11),
        budget: 0.0,
        doubts: BTreeMap::new(),
    };
    let visits = visits();
    for number in 1..=exchanges {
        let at = usize::try_from(number).expect("small");
        let (route, time) = visits[at % visits.len()];
        let round = number / visits.len() as u64;
        shop.visit(number, route, round % 40 * 8 + time);
        if number.is_multiple_of(each) {
            look(number, &shop.ledger.report(ReportInputs::default()));
        }
    }
}

#[test]
fn a_shop_against_itself_reaches_go_within_five_thousand_exchanges_and_stays() {
    shop(6_000, 500, |number, report| {
        assert_eq!(report.funnel.regressions, 0, "at {number}: {:#?}", report.groups);
        if number >= 5_000 {
            assert_eq!(
                report.judgement.ruling,
                Ruling::Go,
                "at {number}: {:#?}, undecided {:#?}",
                report.judgement,
                report
                    .groups
                    .iter()
                    .filter(|group| group.standing == Standing::Undecided)
                    .collect::<Vec<_>>()
            );
        }
    });
}
