//! `shadow config`: checks, documents or shows a configuration file.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use clap::{Args, Subcommand};

use super::{AgentLocation, Exit, Failure, ask, output};
use crate::{
    config::{
        Config, crd, example, faults,
        load::{self, LoadError},
        schema,
    },
    control::{
        client::{self, ClientError},
        proto::{Answer, Order},
        reload::Reloaded,
    },
};

/// Arguments of `shadow config`.
#[derive(Args, Debug)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is wrong with a file, one line each
    #[command(after_help = "Example:\n  shadow config check shadow.yaml")]
    Check {
        /// The configuration file
        file: PathBuf,
    },
    /// Let the running agent read its file again: all of it takes effect, or nothing
    #[command(
        after_help = "SIGHUP does the same. On an error the agent keeps its present configuration.\n\nExample:\n  sudo shadow config reload"
    )]
    Reload {
        /// As JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: AgentLocation,
    },
    /// Print a documented file with every key and its default
    #[command(after_help = "Example:\n  shadow config example > shadow.yaml")]
    Example,
    /// Print the JSON Schema of the file, by which editors complete and check it
    #[command(
        after_help = "Example:\n  shadow config schema > shadow.schema.json\n\nFirst line of shadow.yaml for editors with the \
                      YAML language server:\n  # yaml-language-server: $schema=shadow.schema.json"
    )]
    Schema,
    /// Print the definition of the kind ShadowTest for the API server of Kubernetes
    #[command(after_help = "Example:\n  shadow config crd | kubectl apply -f -")]
    Crd,
    /// Print what a file means, with every default filled in
    #[command(alias = "explain", after_help = "Example:\n  shadow config show shadow.yaml")]
    Show {
        /// The configuration file
        file: PathBuf,
    },
}

/// Checks, prints or reloads a configuration.
pub fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Check { file } => {
            let text = load::read(file).map_err(|error| unreadable(&error))?;
            if let Err(faults) = faults::of(file, &text) {
                return Err(failure(faults).into());
            }
            read_descriptors(&mut load(file)?)?;
            output::print(&format!("{}: ok\n", file.display()))?;
        }
        Action::Reload { json, place } => reload(place, *json)?,
        Action::Example => {
            output::print(example::EXAMPLE)?;
        }
        Action::Schema => {
            output::print(&format!("{:#}\n", schema::schema().as_value()))?;
        }
        Action::Crd => {
            output::print(&crd::yaml()?)?;
        }
        Action::Show { file } => {
            let config = load(file)?;
            output::print(&serde_yaml_ng::to_string(&config)?)?;
            check(&config)?;
        }
    }
    Ok(Exit::Done.into())
}

/// How long the agent may take to read its file.
const PATIENCE: Duration = Duration::from_secs(5);

fn reload(place: &AgentLocation, json: bool) -> anyhow::Result<()> {
    let reloaded = match client::ask(&place.socket, Order::Reload, PATIENCE) {
        Ok(Answer::Reloaded(reloaded)) => reloaded,
        Ok(_) => return Err(Failure::new(Exit::Unavailable, "the agent answered what is no reload").into()),
        Err(ClientError::Refused(why) | ClientError::Failed(why)) => {
            return Err(Failure::new(Exit::Config, why).into());
        }
        Err(error) => return Err(ask::failure(&error).into()),
    };
    if json {
        output::print(&format!("{}\n", serde_json::to_string_pretty(&reloaded)?))?;
        return Ok(());
    }
    let Reloaded { changed, restart } = reloaded;
    if changed.is_empty() && restart.is_empty() {
        output::print("nothing has changed\n")?;
    }
    if !changed.is_empty() {
        output::print(&format!("in force now: {}\n", changed.join(", ")))?;
    }
    if !restart.is_empty() {
        output::print(&format!("needs a restart: {}\n", restart.join(", ")))?;
    }
    Ok(())
}

/// Reads a file, or fails with the matching exit code.
pub(super) fn load(file: &std::path::Path) -> Result<Config, Failure> {
    Config::load(file).map_err(|error| unreadable(&error))
}

/// Reads the file of descriptors that a configuration names.
pub(super) fn read_descriptors(config: &mut Config) -> Result<(), Failure> {
    config.read_descriptors().map_err(|error| unreadable(&error))
}

fn unreadable(error: &LoadError) -> Failure {
    let exit = match error {
        LoadError::Read { .. } => Exit::NoInput,
        LoadError::TooLarge(_) | LoadError::Descriptors { .. } | LoadError::Wrong { .. } => Exit::Config,
    };
    Failure::new(exit, error.to_string())
}

/// Fails if values contradict each other.
pub(super) fn check(config: &Config) -> Result<(), Failure> {
    let problems: Vec<String> = config.problems().iter().map(ToString::to_string).collect();
    if problems.is_empty() {
        return Ok(());
    }
    Err(failure(problems))
}

/// Prints every fault but the last, which becomes the failure. Each is one line on standard error.
fn failure(mut faults: Vec<String>) -> Failure {
    let last = faults.pop().unwrap_or_default();
    for fault in faults {
        crate::shown::complain(&fault);
    }
    Failure::new(Exit::Config, last)
}
