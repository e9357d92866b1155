//! The report as JUnit's XML, which CI systems show: a test for each gate, and one for each route.
//!
//! A gate that failed is a failure, one without enough evidence an error. A route with differences that count fails
//! too, unless the ruling is GO: then it passes, and the differences are its output.

use std::{fmt::Write as _, io};

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesText, Event},
};
use shadow_core::evidence::{
    Ruling,
    report::{Group, Report, Route},
};

use super::{bounds::WIDE, groups};
use crate::figures::{captured, count};

/// Groups of one route that are shown.
const GROUPS: usize = 10;

type Out = Writer<Vec<u8>>;

/// A test with its result.
struct Case<'r> {
    name: &'r str,
    outcome: Outcome,
}

enum Outcome {
    Passed(String),
    Failed(String),
    /// Neither passed nor failed.
    Undecided(String),
}

/// The whole document.
pub fn report(report: &Report) -> io::Result<String> {
    let targets: Vec<&Report> = std::iter::once(report).chain(&report.also).collect();
    let mut out = Writer::new_with_indent(Vec::new(), b' ', 2);
    out.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    out.create_element("testsuites")
        .with_attribute(("name", "shadow"))
        .write_inner_content(|out| {
            for report in &targets {
                let prefix = if targets.len() > 1 {
                    format!("{} ", report.target)
                } else {
                    String::new()
                };
                suite(out, &format!("{prefix}gates"), &gates(report))?;
                suite(out, &format!("{prefix}routes"), &routes(report))?;
            }
            Ok(())
        })?;
    let mut text = String::from_utf8(out.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn suite(out: &mut Out, name: &str, cases: &[Case<'_>]) -> io::Result<()> {
    let number = |wanted: fn(&Outcome) -> bool| {
        cases
            .iter()
            .filter(|case| wanted(&case.outcome))
            .count()
            .to_string()
    };
    out.create_element("testsuite")
        .with_attribute(("name", name))
        .with_attribute(("tests", &*cases.len().to_string()))
        .with_attribute((
            "failures",
            &*number(|outcome| matches!(outcome, Outcome::Failed(_))),
        ))
        .with_attribute((
            "errors",
            &*number(|outcome| matches!(outcome, Outcome::Undecided(_))),
        ))
        .write_inner_content(|out| cases.iter().try_for_each(|case| self::case(out, name, case)))?;
    Ok(())
}

fn case(out: &mut Out, suite: &str, case: &Case<'_>) -> io::Result<()> {
    let class = format!("shadow.{}", suite.replace(' ', "."));
    let name = captured(case.name, WIDE);
    let element = out
        .create_element("testcase")
        .with_attribute(("classname", &*class))
        .with_attribute(("name", &*name));
    let (tag, text) = match &case.outcome {
        Outcome::Passed(text) if text.is_empty() => {
            element.write_empty()?;
            return Ok(());
        }
        Outcome::Passed(text) => ("system-out", text),
        Outcome::Failed(text) => ("failure", text),
        Outcome::Undecided(text) => ("error", text),
    };
    element.write_inner_content(|out| {
        let inner = out.create_element(tag);
        let inner = if tag == "system-out" {
            inner
        } else {
            inner.with_attribute(("message", text.lines().next().unwrap_or_default()))
        };
        inner.write_text_content(BytesText::new(text))?;
        Ok(())
    })?;
    Ok(())
}

fn gates(report: &Report) -> Vec<Case<'_>> {
    let reasons = report.judgement.reasons.iter();
    reasons
        .map(|reason| {
            let text = reason.text.clone();
            Case {
                name: &reason.gate,
                outcome: match reason.ruling {
                    Ruling::Go => Outcome::Passed(text),
                    Ruling::NoGo => Outcome::Failed(text),
                    Ruling::InsufficientEvidence => Outcome::Undecided(text),
                },
            }
        })
        .collect()
}

fn routes(report: &Report) -> Vec<Case<'_>> {
    let judged = |route: &&Route| route.matched + route.mismatched + route.shadow_errors > 0;
    let routes = report.routes.iter().filter(judged);
    routes
        .map(|route| Case {
            name: &route.route,
            outcome: outcome(report, route),
        })
        .collect()
}

fn outcome(report: &Report, route: &Route) -> Outcome {
    let text = told(report, route);
    let is_wrong = route.regressions > 0 || route.shadow_errors > 0;
    let is_slow = report.findings.iter().any(|finding| finding.route == route.route);
    match report.judgement.ruling {
        Ruling::Go => Outcome::Passed(text),
        _ if is_wrong || is_slow => Outcome::Failed(text),
        _ if route.undecided > 0 => Outcome::Undecided(text),
        _ => Outcome::Passed(text),
    }
}

/// Everything about a route that is not as it should be; nothing if all is.
fn told(report: &Report, route: &Route) -> String {
    let mut text = String::new();
    for finding in report
        .findings
        .iter()
        .filter(|finding| finding.route == route.route)
    {
        writeln!(text, "{}", finding.text).unwrap_or_default();
    }
    let is_shown = |group: &&Group| group.route == route.route && !group.standing.is_excused();
    let groups: Vec<&Group> = report.groups.iter().filter(is_shown).collect();
    for group in groups.iter().take(GROUPS) {
        let exchanges = count(group.exchanges);
        writeln!(text, "{exchanges} exchanges: {}", groups::name(group)).unwrap_or_default();
        if let Some(sample) = group.samples.first() {
            let [target, production, shadow] =
                [&sample.target, &sample.production, &sample.shadow].map(|value| captured(value, WIDE));
            writeln!(
                text,
                "  for example {target}\n  {} {production}\n  {} {shadow}",
                report.scope.production(),
                report.scope.shadow()
            )
            .unwrap_or_default();
        }
    }
    if let Some(more) = groups.len().checked_sub(GROUPS).filter(|more| *more > 0) {
        writeln!(text, "and {more} more groups").unwrap_or_default();
    }
    text
}
