//! Compares the planted faults with the report.

use anyhow::{Result, bail};
use shadow_core::evidence::{
    Ruling,
    report::{FindingKind, Report, Standing},
};

use crate::{
    laws,
    shop::{PLANTED, Planted, Sign},
};

/// Prints the list; an error when the report and the planted faults differ.
pub(super) fn show(report: &Report, failed_visits: u64) -> Result<()> {
    let mut wrong = 0;
    let mut line = |good: bool, text: String| {
        wrong += u32::from(!good);
        println!("  {}  {text}", if good { "found    " } else { "NOT FOUND" });
    };
    println!("what was planted in the rewrite, and what the report says:\n");
    for planted in &PLANTED {
        let sign = sign(planted, report);
        let text = format!("{:44} {}", planted.what, sign.as_deref().unwrap_or("-"));
        line(sign.is_some(), text);
    }
    println!("\nand besides:\n");
    let mut line = |good: bool, text: String| {
        wrong += u32::from(!good);
        println!("  {}  {text}", if good { "yes      " } else { "NO       " });
    };
    let noise = report
        .groups
        .iter()
        .filter(|group| group.standing.is_excused())
        .count();
    let strays = strays(report);
    line(
        strays.is_empty(),
        "nothing that was not planted is reported".to_owned(),
    );
    for stray in strays {
        println!("             {stray}");
    }
    line(
        noise > 0,
        format!("{noise} kinds of difference are taken for noise, with no rule for any of them"),
    );
    line(
        report.judgement.ruling == Ruling::NoGo,
        format!("the judgement is {}", report.judgement.ruling.as_str()),
    );
    let skipped = |reason| report.funnel.skipped.get(reason).copied().unwrap_or(0);
    let (writes, calls) = (skipped("write"), skipped("grpc_write"));
    line(
        writes > 0 && calls > 0,
        format!("{writes} writes, and {calls} of gRPC, were not sent to the shadow system"),
    );
    let broken = laws::broken(report);
    line(broken.is_empty(), "every counter adds up".to_owned());
    for law in broken {
        println!("             {law}");
    }
    line(
        failed_visits == 0,
        format!("{failed_visits} requests to production failed"),
    );
    if wrong > 0 {
        bail!("{wrong} of these are not as they should be");
    }
    Ok(())
}

/// Findings that count in the report but were not planted.
fn strays(report: &Report) -> Vec<String> {
    let groups = report
        .groups
        .iter()
        .filter(|group| !is_planted(&group.route) && group.standing == Standing::Regression)
        .map(|group| format!("{} {} {}", group.route, group.category, group.place));
    let findings = report
        .findings
        .iter()
        .filter(|finding| !is_planted(&finding.route))
        .map(|finding| format!("{} {}", finding.route, finding.text));
    groups.chain(findings).collect()
}

/// Places where the report names a planted fault as one that counts.
pub fn sign(planted: &Planted, report: &Report) -> Option<String> {
    let on_route = |route: &str| route.contains(planted.route.trim_end_matches('/'));
    match planted.sign {
        Sign::Discrepancy(category, place) => report
            .groups
            .iter()
            .find(|group| {
                on_route(&group.route)
                    && group.category == category
                    && group.place.contains(place)
                    && group.standing == Standing::Regression
            })
            .map(|group| {
                format!(
                    "{} {} {} ({}x)",
                    group.route, group.category, group.place, group.exchanges
                )
            }),
        Sign::Slower => report
            .findings
            .iter()
            .find(|finding| on_route(&finding.route) && finding.kind == FindingKind::Slow)
            .map(|finding| format!("{} {}", finding.route, finding.text)),
        Sign::Failure(reason) => report
            .groups
            .iter()
            .find(|group| on_route(&group.route) && group.category == reason)
            .map(|group| format!("{} {} ({}x)", group.route, group.category, group.exchanges)),
    }
}

/// A planted fault may show in several places of its route: an expired coupon also has another body.
pub fn is_planted(route: &str) -> bool {
    PLANTED
        .iter()
        .any(|planted| route.contains(planted.route.trim_end_matches('/')))
}
