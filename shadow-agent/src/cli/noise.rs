//! `shadow noise`: differences that a system also has with itself, and rules for them.

use std::{fs, path::Path, path::PathBuf, process::ExitCode};

use clap::Args;

use serde_json::Value;
use shadow_core::evidence::report::Report;

use super::{
    Exit, Failure, diffs,
    output::{self, print},
    source::{self, Origin},
};
use crate::{config::Config, report::noise::Noise, shown::complain, whole};

/// Arguments of `shadow noise`.
#[derive(Args, Debug)]
#[command(
    after_help = "A difference is noise when two answers of one system show it as often (docs/src/concepts.md says how that \
                  is decided and what cannot be seen).\n\n\
                  Examples:\n  sudo shadow noise\n  sudo shadow noise --json | jq -r .rules\n  sudo shadow noise --write /etc/shadow/shadow.yaml"
)]
pub struct NoiseArgs {
    /// Write the proposed rules into this configuration, each tried on the recorded cases first
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    write: Option<PathBuf>,
    /// As JSON, with every group and the rules as one text
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    origin: Origin,
}

/// Shows the noise in the report of the running agent, or else of the last one.
pub fn noise(args: &NoiseArgs) -> anyhow::Result<ExitCode> {
    let NoiseArgs {
        write: file,
        json,
        origin,
    } = args;
    let report = source::report(origin)?;
    let noise = Noise::of(&report);
    if let Some(file) = file {
        return write(&report, &noise, file, origin);
    }
    let text = if *json {
        format!("{}\n", serde_json::to_string_pretty(&noise)?)
    } else {
        noise.text()
    };
    print(&text)?;
    Ok(Exit::Done.into())
}

/// Writes the rules that the file does not have yet. Comments and order are kept.
fn write(report: &Report, noise: &Noise<'_>, file: &Path, origin: &Origin) -> anyhow::Result<ExitCode> {
    let known = Config::load(file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let before = fs::read_to_string(file)?;
    let rules = missing(&before, &noise.rules);
    if rules.is_empty() {
        complain("there is no rule to add");
        return Ok(Exit::Done.into());
    }
    let why = "noise: a system differs from itself as much";
    let after = diffs::written(&before, &rules, why).ok_or_else(|| {
        let what = format!(
            "{} is laid out in a way that it cannot be written into safely and was left alone; paste the rules of \
             `shadow noise`",
            file.display()
        );
        Failure::new(Exit::Config, what)
    })?;
    let added = Config::parse(file, &after).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    match source::journal(origin) {
        Ok(journal) => {
            let checked = diffs::against(&journal, (&known, &added), &report.groups, &noise.noise)?;
            diffs::tell(&checked)?;
        }
        Err(failure) => complain(&format!("the rules are not tried on recorded cases: {failure}")),
    }
    whole::rewrite(file, after.as_bytes()).map_err(|error| output::unwritten(file, &error))?;
    print(&diffs::written("", &rules, why).unwrap_or_default())?;
    Ok(Exit::Done.into())
}

/// The proposed entries of `compare.routes` that a configuration does not have.
fn missing(before: &str, proposed: &str) -> Vec<Value> {
    let routes = |text: &str| -> Vec<Value> {
        let read = serde_yaml_ng::from_str::<Value>(text).unwrap_or_default();
        let routes = read.pointer("/compare/routes").and_then(Value::as_array);
        routes.cloned().unwrap_or_default()
    };
    let known = routes(before);
    let mut proposed = routes(proposed);
    proposed.retain(|rule| !known.contains(rule));
    proposed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_once_and_comments_are_kept() {
        let before =
            "# ours\ncompare:\n  routes:\n    # known\n    - route: 'GET /a'\n      ignore: ['$.at']\n";
        let proposed = "compare:\n  routes:\n    - route: \"GET /a\"\n      ignore:\n        - \"$.at\"\n    - route: \"/**\"\n      \
                        places:\n        - path: \"$..request_id\"\n          format: uuid\n";
        let rules = missing(before, proposed);
        assert_eq!(rules.len(), 1, "{rules:?}");
        let after = diffs::written(before, &rules, "noise").expect("it can be written");
        assert!(after.starts_with(before), "{after}");
        assert!(after.contains("    # noise\n    - route: '/**'\n"), "{after}");
        assert!(Config::parse("test".as_ref(), &after).is_ok(), "{after}");
        assert_eq!(missing(&after, proposed), Vec::<Value>::new());
    }
}
