//! `shadow accept`: the rules that accept a cause or a group, tried on the recorded cases, with the reason beside them.

use std::{collections::BTreeMap, fs, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::Value;
use shadow_core::evidence::report::Group;

use super::{
    find,
    ignore::{inserted, rule},
    verify::{self, Checked},
};
use crate::{
    cli::{
        Exit, Failure,
        output::{self, print},
        source::{self, Origin},
    },
    config::Config,
    figures::count,
    shown::complain,
    whole,
};

/// Effects of a rule that are named.
const NAMED: usize = 5;

/// Arguments of `shadow accept`.
#[derive(Args, Debug)]
#[command(
    after_help = "Each rule is tried on the cases in the journal first: one that hides something else is refused.\n\n\
                  Examples:\n  sudo shadow accept cause-1f9a03 --why 'the new system answers 401, as agreed'\n  \
                  sudo shadow accept cause-1f9a03 --why 'see #812' --config /etc/shadow/shadow.yaml"
)]
pub struct AcceptArgs {
    /// A cause or a group, as `shadow report` and `shadow diffs` name them
    id: String,
    /// The reason; it is written beside the rule
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// Write the rules into this configuration; without it they are printed
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    origin: Origin,
}

/// Prints or writes the rules.
pub(in crate::cli) fn run(args: &AcceptArgs) -> anyhow::Result<ExitCode> {
    let AcceptArgs {
        id,
        why,
        config,
        origin,
    } = args;
    let report = source::report(origin)?;
    let groups = find::groups(&report, id)?;
    let known = match config {
        Some(file) => Config::load(file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
        None => Config::default(),
    };
    let (rules, without) = rules(&groups, &known);
    for why in &without {
        complain(&format!("no rule for one of its groups: {why}"));
    }
    if rules.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("no rule accepts {id}")).into());
    }
    let before = match config {
        Some(file) => fs::read_to_string(file)?,
        None => String::new(),
    };
    let Some(after) = written(&before, &rules, why) else {
        let what =
            "the configuration is laid out in a way that it cannot be written into safely and was left alone";
        return Err(Failure::new(Exit::Config, what).into());
    };
    let accepted = Config::parse("the configuration".as_ref(), &after)
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    match source::journal(origin) {
        Ok(journal) => {
            let checked = verify::against(&journal, (&known, &accepted), &report.groups, &groups)?;
            tell(&checked)?;
        }
        Err(failure) => complain(&format!("the rules are not tried on recorded cases: {failure}")),
    }
    if let Some(file) = config {
        whole::rewrite(file, after.as_bytes()).map_err(|error| output::unwritten(file, &error))?;
        complain(&format!(
            "written to {}; it is in force once the agent has read it again",
            file.display()
        ));
    }
    let alone = written("", &rules, why).unwrap_or_default();
    print(&alone)?;
    if let Some(with_it @ 1..) = find::cause(&report, id)?.map(|cause| cause.with_it.len()) {
        complain(&format!(
            "the answers with it also differ in {} other ways, which are not accepted with it: they are causes of their own then",
            count(with_it as u64)
        ));
    }
    Ok(Exit::Done.into())
}

/// Says what the rules do to the recorded cases; an error if they do more than they claim.
pub(in crate::cli) fn tell(checked: &Checked) -> Result<(), Failure> {
    let Checked { cases, removed, also } = checked;
    if also.is_empty() {
        complain(&format!(
            "tried on {} recorded cases: {} of their differences are accepted, and nothing else changes",
            count(*cases as u64),
            count(*removed as u64)
        ));
        return Ok(());
    }
    let named: Vec<&str> = also.iter().take(NAMED).map(String::as_str).collect();
    let more = also.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!("; and {more} more")
    } else {
        String::new()
    };
    Err(Failure::new(
        Exit::Usage,
        format!(
            "the rule does more than it claims and was not written: it {}{more}",
            named.join("; it ")
        ),
    ))
}

/// The text with all rules, each below the reason.
pub(in crate::cli) fn written(before: &str, rules: &[Value], why: &str) -> Option<String> {
    rules
        .iter()
        .try_fold(before.to_owned(), |text, rule| inserted(&text, rule, why))
}

/// One rule for each route, and the reasons why some groups have none.
pub(super) fn rules(groups: &[&Group], config: &Config) -> (Vec<Value>, Vec<String>) {
    let mut routes: BTreeMap<&str, Value> = BTreeMap::new();
    let mut without = Vec::new();
    for group in groups {
        let rule = match rule(group, config) {
            Ok(rule) => rule,
            Err(why) => {
                without.push(why);
                continue;
            }
        };
        match routes.get_mut(group.route.as_str()) {
            Some(known) => merge(known, rule),
            None => {
                routes.insert(&group.route, rule);
            }
        }
    }
    (routes.into_values().collect(), without)
}

/// Adds a rule to another one for the same route. Lists of compared header fields have in common what is left.
fn merge(known: &mut Value, rule: Value) {
    let (Some(known), Value::Object(rule)) = (known.as_object_mut(), rule) else {
        return;
    };
    for (name, value) in rule {
        match (known.get_mut(&name), value) {
            (Some(Value::Array(known)), Value::Array(more)) if name.starts_with("header") => {
                known.retain(|field| more.contains(field));
            }
            (Some(Value::Array(known)), Value::Array(more)) => {
                for one in more {
                    if !known.contains(&one) {
                        known.push(one);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => {
                known.insert(name, value);
            }
        }
    }
}
