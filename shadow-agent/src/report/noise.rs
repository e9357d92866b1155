//! `shadow noise`: confirmed and possible noise with the reasons, and rules for it.
//!
//! Bias: a rule is proposed only for what the evidence calls noise, and it is the narrowest one that the values allow:
//! a format or a tolerance still compares what leaving the place out would hide.

use std::{collections::BTreeMap, fmt::Write as _};

use serde::Serialize;
use shadow_core::{
    compare::PlacePath,
    evidence::report::{Background, Group, Report, Scope, Shift, Standing},
};

use super::{bounds, broad, groups, text};
use crate::figures::count;
use crate::shown::screened;

/// Groups of each kind that are shown as text.
const GROUPS: usize = 50;

/// The output of `shadow noise --json`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Noise<'r> {
    /// The format of the report that it is taken from.
    pub format: u32,
    /// The shadow target.
    pub target: &'r str,
    /// Pairs of answers of the same system.
    pub background: Background,
    /// Groups that are noise, with their observed and their background rates.
    pub noise: Vec<&'r Group>,
    /// Groups that may be noise: too few pairs were compared so far.
    pub undecided: Vec<&'r Group>,
    /// Rules as YAML, ready for the configuration; empty without noise.
    pub rules: String,
    /// The names of the two systems.
    #[serde(skip)]
    pub scope: Scope,
    /// The same for the further targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Self>,
}

impl<'r> Noise<'r> {
    /// The noise in a report.
    pub fn of(report: &'r Report) -> Self {
        let with = |standing: Standing| -> Vec<&Group> {
            let groups = report.groups.iter();
            groups.filter(|group| group.standing == standing).collect()
        };
        let noise = with(Standing::Noise);
        Self {
            format: report.format,
            target: &report.target,
            background: report.background,
            scope: report.scope.clone(),
            rules: {
                let groups = report.groups.iter();
                let counted: Vec<&Group> = groups.filter(|group| !group.standing.is_excused()).collect();
                rules(&noise, &counted)
            },
            noise,
            undecided: with(Standing::Undecided),
            also: report.also.iter().map(Self::of).collect(),
        }
    }

    /// The text form.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        self.write(&mut out).unwrap_or_default();
        for further in &self.also {
            writeln!(out, "\n{}:\n{}", further.target, further.text()).unwrap_or_default();
        }
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self {
            background,
            noise,
            undecided,
            rules,
            scope,
            ..
        } = self;
        let pairs = [background.control, background.recurring, background.twice];
        if pairs.iter().all(|pairs| pairs.compared == 0) {
            return writeln!(
                out,
                "no pairs of answers of one system were compared yet: set noise.twice or noise.recurring, or add a target \
                 with the role control"
            );
        }
        text::background(out, background, scope)?;
        if noise.is_empty() {
            writeln!(out, "\nNothing is known to be noise")?;
        } else {
            writeln!(out, "\nNoise")?;
            section(out, noise)?;
        }
        if !undecided.is_empty() {
            writeln!(
                out,
                "\nUndecided: neither noise nor differences until more pairs are compared"
            )?;
            section(out, undecided)?;
        }
        if !rules.is_empty() {
            writeln!(
                out,
                "\nRules that would leave the noise out for good (noise needs none: it is recognised automatically)\n\n{rules}"
            )?;
        }
        Ok(())
    }
}

fn section(out: &mut String, groups: &[&Group]) -> std::fmt::Result {
    for group in groups.iter().take(GROUPS) {
        writeln!(
            out,
            "  {} exchanges: {}",
            count(group.exchanges),
            groups::name(group)
        )?;
        for shift in &group.shifts {
            writeln!(out, "       {}{}", groups::against(shift), interval(shift))?;
        }
    }
    bounds::more(out, groups.len(), GROUPS, "groups")
}

fn interval(shift: &Shift) -> String {
    let Some(held) = &shift.background else {
        return String::new();
    };
    let points = |share: f64| format!("{:+.3}", share * 100.0);
    format!(
        "; observed less background {} to {} percentage points",
        points(held.low),
        points(held.high)
    )
}

/// A route that matches every request.
const EVERYWHERE: &str = "/**";

/// The rule for one place, other than leaving it out.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Rule {
    Ignore,
    Place(String),
}

/// The rules for each place of each route.
type Routes = BTreeMap<String, BTreeMap<String, Option<Rule>>>;

/// Rules as YAML. A name that is noise in many places has one rule for all of them, unless it counts somewhere.
fn rules(noise: &[&Group], counted: &[&Group]) -> String {
    let mut routes = Routes::new();
    let mut without = Vec::new();
    let names = broad::names(noise, counted, |group| rule(group) != Rule::Ignore);
    for group in noise {
        if !is_path(&group.place) || group.route.starts_with('{') {
            without.push(groups::name(group));
            continue;
        }
        let name = broad::leaf(&group.place).filter(|name| names.contains(name));
        let (route, place) = match name {
            Some(name) => (EVERYWHERE.to_owned(), format!("$..{name}")),
            None => (group.route.clone(), group.place.clone()),
        };
        let place = routes.entry(route).or_default().entry(place).or_insert(None);
        let rule = rule(group);
        // Two categories at one place, such as missing and added: no single form fits.
        *place = match place {
            Some(known) if *known != rule => Some(Rule::Ignore),
            _ => Some(rule),
        };
    }
    for places in routes.values_mut() {
        let ignored: Vec<String> = places
            .iter()
            .filter(|(_, rule)| **rule == Some(Rule::Ignore))
            .map(|(place, _)| place.clone())
            .collect();
        places.retain(|place, _| {
            !ignored
                .iter()
                .any(|broad| broad != place && broad::covers(broad, place))
        });
    }
    yaml(&routes, &without)
}

fn yaml(routes: &Routes, without: &[String]) -> String {
    let mut out = String::new();
    if !routes.is_empty() {
        out.push_str("compare:\n  routes:\n");
    }
    for (route, places) in routes {
        // Writing to a string cannot fail.
        writeln!(out, "    - route: {}", quoted(route)).unwrap_or_default();
        let ignored: Vec<_> = places
            .iter()
            .filter(|(_, rule)| **rule == Some(Rule::Ignore))
            .collect();
        if !ignored.is_empty() {
            out.push_str("      ignore:\n");
        }
        for (place, _) in &ignored {
            writeln!(out, "        - {}", quoted(place)).unwrap_or_default();
        }
        if ignored.len() < places.len() {
            out.push_str("      places:\n");
        }
        for (place, rule) in places {
            if let Some(Rule::Place(rule)) = rule {
                writeln!(out, "        - path: {}\n          {rule}", quoted(place)).unwrap_or_default();
            }
        }
    }
    for name in without {
        writeln!(out, "# no rule by place for {name}").unwrap_or_default();
    }
    out
}

/// The narrowest rule under which all observed values of a group are equal.
fn rule(group: &Group) -> Rule {
    let place = |rule: &str| Rule::Place(rule.to_owned());
    if group.category == "order" {
        return place("arrays: multiset");
    }
    let all = |shape: &str| {
        group
            .shifts
            .iter()
            .all(|shift| shift.production == shape && shift.shadow == shape)
    };
    let numbers = |shape: &str| matches!(shape, "integer" | "decimal");
    if group.category != "value" || group.shifts.is_empty() {
        return Rule::Ignore;
    }
    if all("uuid") || all("rfc3339") || all("hex") {
        let shape = group.shifts.first().map_or("", |shift| shift.production.as_str());
        return Rule::Place(format!("format: {shape}"));
    }
    if all("epoch") && group.shifts.iter().all(|shift| shift.apart == "within 1 %") {
        return place("within: 1m");
    }
    if group
        .shifts
        .iter()
        .all(|shift| numbers(&shift.production) && numbers(&shift.shadow))
    {
        let apart = |known: &[&str]| {
            group
                .shifts
                .iter()
                .all(|shift| known.contains(&shift.apart.as_str()))
        };
        if apart(&["within 1 %"]) {
            return place("tolerance: {relative: 0.01}");
        }
        if apart(&["within 1 %", "within 10 %"]) {
            return place("tolerance: {relative: 0.1}");
        }
        if apart(&["within 1 %", "within 10 %", "within 2x"]) {
            return place("tolerance: {relative: 0.5}");
        }
        if all("integer") {
            return place("format: integer");
        }
    }
    Rule::Ignore
}

/// Whether a place is valid in a rule: a path into a document, with no part redacted or cut.
fn is_path(place: &str) -> bool {
    place.parse::<PlacePath>().is_ok() && !place.contains("[redacted:") && !place.contains('…')
}

/// A JSON string, which YAML reads as well.
fn quoted(text: &str) -> String {
    screened(&serde_json::Value::from(text).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use shadow_core::evidence::{Proportion, report::Compared};

    fn group(category: &str, place: &str, shifts: &[(&str, &str, &str)]) -> Group {
        Group {
            route: "GET /users/{id}".to_owned(),
            category: category.to_owned(),
            place: place.to_owned(),
            standing: Standing::Noise,
            exchanges: 10,
            shifts: shifts
                .iter()
                .map(|(production, shadow, apart)| Shift {
                    production: (*production).to_owned(),
                    shadow: (*shadow).to_owned(),
                    apart: (*apart).to_owned(),
                    standing: Standing::Noise,
                    observed: Proportion::new(10, 1000),
                    background: Some(Compared {
                        source: "twice".to_owned(),
                        pairs: Proportion::new(2, 100),
                        low: -0.06,
                        high: 0.005,
                    }),
                    ..Shift::default()
                })
                .collect(),
            ..Group::default()
        }
    }

    fn report() -> Report {
        let mut groups = vec![
            group("value", "$.id", &[("uuid", "uuid", "")]),
            group("value", "$.made", &[("rfc3339", "rfc3339", "")]),
            group("value", "$.at", &[("epoch", "epoch", "within 1 %")]),
            group(
                "value",
                "$.load",
                &[
                    ("integer", "integer", "within 1 %"),
                    ("integer", "decimal", "within 10 %"),
                ],
            ),
            group("value", "$.nonce", &[("integer", "integer", "over 10x")]),
            group("value", "$.items[*].state", &[("word", "word", "")]),
            group("missing", "$.hint", &[("word", "absent", "")]),
            group("added", "$.hint", &[("absent", "word", "")]),
            group("order", "$.tags", &[("other", "other", "")]),
            group("header", "header etag", &[("token", "token", "")]),
        ];
        groups.push(Group {
            standing: Standing::Undecided,
            ..group("value", "$.rare", &[("word", "word", "")])
        });
        let mut report = Report {
            groups,
            ..Report::default()
        };
        report.background.twice.compared = 100;
        report.background.twice.differed = 100;
        report
    }

    #[test]
    fn rules_are_narrow_and_can_be_pasted() {
        let report = report();
        let noise = Noise::of(&report);
        assert_eq!(
            noise.rules,
            "compare:\n  routes:\n    - route: \"GET /users/{id}\"\n      ignore:\n        - \"$.hint\"\n        \
             - \"$.items[*].state\"\n      places:\n        - path: \"$.at\"\n          within: 1m\n        \
             - path: \"$.id\"\n          format: uuid\n        - path: \"$.load\"\n          \
             tolerance: {relative: 0.1}\n        - path: \"$.made\"\n          format: rfc3339\n        \
             - path: \"$.nonce\"\n          format: integer\n        - path: \"$.tags\"\n          arrays: multiset\n\
             # no rule by place for GET /users/{id}: header at header etag\n"
        );
        let config: Config = serde_yaml_ng::from_str(&noise.rules).expect("a configuration");
        assert_eq!(config.compare.routes.len(), 1);
    }

    #[test]
    fn one_name_has_one_rule_and_nothing_covered_has_one() {
        let on = |route: &str, group: Group| Group {
            route: route.to_owned(),
            ..group
        };
        let uuid = |place: &str| group("value", place, &[("uuid", "uuid", "")]);
        let lost = |place: &str| group("missing", place, &[("word", "absent", "")]);
        let mut groups = vec![
            on("GET /a", uuid("$.request_id")),
            on("GET /b", uuid("$.request_id")),
            on("GET /c", uuid("$.meta.request_id")),
            on("GET /a", lost("$.data.*")),
            on("GET /a", lost("$.data.go_threads")),
            on("GET /a", lost("$.data.x.y")),
        ];
        groups.extend(["GET /a", "GET /b", "GET /c"].map(|route| on(route, lost("$.trace"))));
        groups.extend(["GET /a", "GET /b"].map(|route| on(route, uuid("$.session"))));
        groups.extend(["GET /a", "GET /b"].map(|route| on(route, lost("$.error.message word 3"))));
        // The same name counts elsewhere, so no rule may hide it everywhere; but a form hides nothing that is missing.
        groups.extend(["$.trace", "$.session"].map(|place| Group {
            standing: Standing::Regression,
            ..on("GET /d", lost(place))
        }));
        let report = Report {
            groups,
            ..Report::default()
        };
        let rules = Noise::of(&report).rules;
        let config: Config = serde_yaml_ng::from_str(&rules).expect("a configuration");
        let routes: Vec<&str> = config
            .compare
            .routes
            .iter()
            .map(|rules| rules.route.as_str())
            .collect();
        assert_eq!(routes, ["/**", "GET /a", "GET /b", "GET /c"], "{rules}");
        assert_eq!(rules.matches("request_id").count(), 1, "{rules}");
        assert_eq!(rules.matches("$.trace").count(), 3, "{rules}");
        assert_eq!(rules.matches("$..session").count(), 1, "{rules}");
        assert_eq!(rules.matches("$..message word 3").count(), 1, "{rules}");
        assert!(
            rules.contains("$.data.*") && !rules.contains("go_threads") && !rules.contains("x.y"),
            "{rules}"
        );
    }

    #[test]
    fn rates_are_shown_with_what_they_are_shares_of() {
        let report = report();
        let shown = Noise::of(&report).text();
        assert!(
            shown.contains(
                "10 exchanges: GET /users/{id}: value at $.id\n       uuid -> uuid in 10 of 1,000 exchanges; in 2 of 100 \
                 pairs (twice); observed less background -6.000 to +0.500 percentage points"
            ),
            "{shown}"
        );
        assert!(shown.contains("Undecided") && shown.contains("$.rare"), "{shown}");
        let nothing = Noise::of(&Report::default()).text();
        assert!(nothing.contains("set noise.twice"), "{nothing}");
    }
}
