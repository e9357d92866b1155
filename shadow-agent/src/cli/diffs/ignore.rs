//! `shadow diffs ignore`: the rule that accepts a difference, printed or written into the configuration.
//!
//! The file is changed as text, so that comments and order are kept. The result is parsed: if it means anything other
//! than the old configuration plus this rule, the file is left unchanged and the rule is printed instead.

use std::{fmt::Write as _, fs, path::PathBuf, process::ExitCode};

use clap::Args;
use serde_json::{Value, json};
use shadow_core::{compare::PlacePath, evidence::report::Group};

use super::find;
use crate::{
    cli::{
        Exit, Failure,
        output::{self, print},
        source::Origin,
    },
    config::Config,
    figures::captured,
    shown::{complain, is_unsafe, screened},
    whole,
};

/// Characters of the reason that are written as a comment.
const WHY: usize = 300;

/// Arguments of `shadow diffs ignore`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  sudo shadow diffs ignore 1f9a03b2c4d5\n  \
                  sudo shadow diffs ignore 1f9a03b2c4d5 --config /etc/shadow/shadow.yaml")]
pub struct IgnoreArgs {
    /// A cause or a group
    id: String,
    /// Write it into this configuration; without it the rule is printed
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    origin: Origin,
}

/// Prints or writes the rule.
pub(super) fn run(args: &IgnoreArgs) -> anyhow::Result<ExitCode> {
    let IgnoreArgs { id, config, origin } = args;
    let Some(group) = find::by_id(id, origin)?.group else {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("there is no group {id:?} in the report; `shadow diffs` lists them"),
        )
        .into());
    };
    let known = match config {
        Some(file) => Config::load(file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
        None => Config::default(),
    };
    let rule = rule(&group, &known).map_err(|why| Failure::new(Exit::Usage, why))?;
    let Some(file) = config else {
        print(&pasted(&rule))?;
        return Ok(Exit::Done.into());
    };
    let before = fs::read_to_string(file)?;
    let Some(after) = inserted(&before, &rule, "") else {
        print(&pasted(&rule))?;
        let what = format!(
            "{} is laid out in a way that it cannot be written into safely and was left alone; paste the rule above",
            file.display()
        );
        return Err(Failure::new(Exit::Config, what).into());
    };
    whole::rewrite(file, after.as_bytes()).map_err(|error| output::unwritten(file, &error))?;
    complain(&format!(
        "written to {}; it is in force once the agent has read it again",
        file.display()
    ));
    print(&pasted(&rule))?;
    Ok(Exit::Done.into())
}

/// The entry of `compare.routes` that accepts a group, or the reason why there is none.
pub(super) fn rule(group: &Group, config: &Config) -> Result<Value, String> {
    let Group {
        route,
        category,
        place,
        ..
    } = group;
    if route == "{other}" {
        return Err(
            "the route of this group is not known (production knows no such path, or evidence.routes is too small), so no \
             rule can name it"
                .to_owned(),
        );
    }
    if place.contains("[redacted:") || place.ends_with('…') {
        return Err("the place of this group is redacted, so no rule can be made of it".to_owned());
    }
    let path = inner_path(place);
    if path.parse::<PlacePath>().is_ok() {
        return Ok(json!({"route": route, "ignore": [path]}));
    }
    if let Some(name) = place.strip_prefix("header ") {
        return Ok(without_header(route, name, config));
    }
    // No rule takes two codes of gRPC for the same.
    if category == "status" && place == "status" {
        let seen = group.samples.iter().find_map(|sample| {
            let code = |text: &str| text.parse::<u16>().ok();
            Some([code(&sample.production)?, code(&sample.shadow)?])
        });
        let seen = seen.ok_or("no sample of this group says which statuses are to be taken for the same")?;
        return Ok(json!({"route": route, "same_status": [seen]}));
    }
    if place.starts_with("line ") {
        return Err(
            "a line has no place that stays: write what differs in it as a regular expression under compare.mask".to_owned(),
        );
    }
    Err(format!(
        "there is no rule that accepts {category} {}: the place is in no document, or there was no answer to compare",
        if place.is_empty() {
            String::new()
        } else {
            format!("at {place}")
        }
    )
    .trim_end()
    .to_owned())
}

/// The lists of compared header fields without this one.
fn without_header(route: &str, name: &str, config: &Config) -> Value {
    // A part of a field has no rule of its own.
    let name = name.split(' ').next().unwrap_or_default();
    let compare = serde_json::to_value(&config.compare).unwrap_or_default();
    let without = |key: &str| -> Vec<Value> {
        let listed = compare.get(key).and_then(Value::as_array);
        let listed = listed.into_iter().flatten().filter(|listed| {
            let covers = |listed: &str| match listed.strip_suffix('*') {
                Some(start) => name
                    .get(..start.len())
                    .is_some_and(|head| head.eq_ignore_ascii_case(start)),
                None => listed.eq_ignore_ascii_case(name),
            };
            !listed.as_str().is_some_and(covers)
        });
        listed.cloned().collect()
    };
    json!({
        "route": route,
        "headers": without("headers"),
        "header_presence": without("header_presence"),
    })
}

/// In multipart content and in event streams, a path begins at the part or the event.
fn inner_path(place: &str) -> &str {
    match place.split_once(' ') {
        Some(("event" | "part" | "document", rest)) => rest.split_once(' ').map_or("", |(_, path)| path),
        // JSON in a script or an attribute.
        _ if place.starts_with('/') => place.split_once(" $").map_or(place, |(before, _)| {
            place.get(before.len().saturating_add(1)..).unwrap_or(place)
        }),
        _ => place,
    }
}

/// A rule as the lines of an entry, indented by `indent`.
fn entry(rule: &Value, indent: &str) -> String {
    let mut text = String::new();
    let members = rule.as_object().into_iter().flatten();
    let (first, rest): (Vec<_>, Vec<_>) = members.partition(|(name, _)| *name == "route");
    for (at, (name, value)) in first.into_iter().chain(rest).enumerate() {
        let lead = if at == 0 { "- " } else { "  " };
        // One line of JSON is also YAML; a quote in single quotes is doubled. Writing to a String cannot fail.
        let value = flow(value);
        writeln!(text, "{indent}{lead}{name}: {value}").unwrap_or_default();
    }
    text
}

/// The lines of an entry below a comment.
fn commented(rule: &Value, why: &str, indent: &str) -> String {
    let lines = entry(rule, indent);
    if why.is_empty() {
        return lines;
    }
    format!("{indent}# {}\n{lines}", captured(why, WHY))
}

fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        // Single quotes have no escapes.
        Value::Object(members) => {
            let members = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", flow(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::String(text) if text.contains(is_unsafe) => screened(&value.to_string()).into_owned(),
        Value::String(text) => format!("'{}'", text.replace('\'', "''")),
        value => value.to_string(),
    }
}

/// The rule as a configuration of its own.
fn pasted(rule: &Value) -> String {
    format!("compare:\n  routes:\n{}", entry(rule, "    "))
}

/// The file with the rule at the end of `compare.routes`, below a comment that says why; `None` if the result does not
/// parse to exactly that.
pub(in crate::cli) fn inserted(before: &str, rule: &Value, why: &str) -> Option<String> {
    let after = placed(before, rule, why)?;
    let read = |text: &str| serde_yaml_ng::from_str::<Value>(text).ok();
    let mut expected = read(before)?;
    if expected.is_null() {
        expected = json!({});
    }
    let compare = expected
        .as_object_mut()?
        .entry("compare")
        .or_insert_with(|| json!({}));
    if compare.is_null() {
        *compare = json!({});
    }
    let routes = compare
        .as_object_mut()?
        .entry("routes")
        .or_insert_with(|| json!([]));
    if routes.is_null() {
        *routes = json!([]);
    }
    routes.as_array_mut()?.push(rule.clone());
    let loads = Config::parse("the configuration".as_ref(), &after).is_ok();
    (loads && read(&after)? == expected).then_some(after)
}

fn placed(before: &str, rule: &Value, why: &str) -> Option<String> {
    let entry = |indent: &str| commented(rule, why, indent);
    let mut lines: Vec<String> = before.lines().map(str::to_owned).collect();
    let is_key = |line: &str, key: &str| {
        line.strip_prefix(key)
            .and_then(|rest| rest.strip_prefix(':'))
            .map(|rest| rest.split(" #").next().unwrap_or_default().trim().to_owned())
    };
    let Some((at, value)) = lines
        .iter()
        .enumerate()
        .find_map(|(at, line)| Some((at, is_key(line, "compare")?)))
    else {
        lines.push(
            format!("compare:\n  routes:\n{}", entry("    "))
                .trim_end()
                .to_owned(),
        );
        return Some(lines.join("\n") + "\n");
    };
    if !value.is_empty() {
        return None;
    }
    let end = (at + 1..lines.len())
        .find(|next| is_top(&lines[*next]))
        .unwrap_or(lines.len());
    let indent = lines[at + 1..end]
        .iter()
        .find(|line| is_content(line))
        .map_or("  ", |line| lead(line));
    let indent = indent.to_owned();
    let routes = (at + 1..end).find_map(|at| {
        let line = lines[at].strip_prefix(&indent)?;
        Some((at, is_key(line, "routes")?))
    });
    let Some((routes, value)) = routes else {
        let entry = format!("{indent}routes:\n{}", entry(&format!("{indent}  ")));
        lines.insert(at + 1, entry.trim_end().to_owned());
        return Some(lines.join("\n") + "\n");
    };
    if value == "[]" {
        let comment = lines[routes]
            .split_once(" #")
            .map_or(String::new(), |(_, comment)| format!(" #{comment}"));
        let entry = entry(&format!("{indent}  "));
        lines[routes] = format!("{indent}routes:{comment}\n{}", entry.trim_end());
        return Some(lines.join("\n") + "\n");
    }
    if !value.is_empty() {
        return None;
    }
    appended(lines, (routes, end), entry)
}

/// The lines with another entry after the last line of the last entry.
fn appended(
    mut lines: Vec<String>,
    (routes, end): (usize, usize),
    entry: impl Fn(&str) -> String,
) -> Option<String> {
    let item = lines[routes + 1..end].iter().find(|line| is_content(line))?;
    let item = item
        .trim_start()
        .starts_with('-')
        .then(|| lead(item).to_owned())?;
    let last = (routes + 1..end)
        .take_while(|at| {
            let line = &lines[*at];
            !is_content(line) || line.starts_with(&format!("{item}-")) || lead(line).len() > item.len()
        })
        .filter(|at| is_content(&lines[*at]))
        .last()?;
    lines.insert(last + 1, entry(&item).trim_end().to_owned());
    Some(lines.join("\n") + "\n")
}

fn is_content(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with('#')
}

fn is_top(line: &str) -> bool {
    is_content(line) && !line.starts_with([' ', '\t', '-'])
}

fn lead(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}
