//! `shadow kill`, `resume` and `sample`: through the kernel program's own map, and through the agent.
//!
//! These commands must work when the agent hangs, so they do not depend on it (docs/adr/0020). Each reports which way
//! worked, and succeeds when at least one did.

use std::{env, process::ExitCode, time::Duration};

use clap::Args;
use rustix::process::setpriority_process;

use super::{AgentLocation, Exit, Failure, output};
use shadow_proto::units::Rate;

use crate::{
    capture::control::{ControlError, RunningAgent, find_running},
    control::{
        client::{self, ClientError, SentOrder},
        proto::{Answer, Order},
    },
    guard,
    state::{Killed, Owner, StateDir},
};

/// How long the agent may take to confirm what the map already says.
const PATIENCE: Duration = Duration::from_secs(1);

/// Arguments of `shadow kill`.
#[derive(Args, Debug)]
#[command(
    after_help = "Works when the agent hangs: the kernel program's switch is written directly, then the agent is notified. A restarted \
                  agent stays stopped until `shadow resume`.\n\n\
                  Examples:\n  sudo shadow kill\n  sudo shadow kill --why 'incident 4711'"
)]
pub struct KillArgs {
    /// Why, for whoever looks at the status
    #[arg(long, value_name = "TEXT", default_value = "")]
    why: String,
    /// Every agent on this host, whichever state folder it has
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: AgentLocation,
}

/// Arguments of `shadow resume`.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  sudo shadow resume")]
pub struct ResumeArgs {
    #[command(flatten)]
    place: AgentLocation,
}

/// Arguments of `shadow sample`.
#[derive(Args, Debug)]
#[command(
    after_help = "Effective for the next packet. Not kept over a restart: the configuration says what an agent starts with.\n\n\
                  Examples:\n  sudo shadow sample 5%\n  sudo shadow sample 100%"
)]
pub struct SampleArgs {
    /// Share of connections that are mirrored, such as 5%
    rate: Rate,
    #[command(flatten)]
    place: AgentLocation,
}

/// Stops mirroring, in every available way.
pub fn kill(args: &KillArgs) -> anyhow::Result<ExitCode> {
    let KillArgs { why, all, place } = args;
    let state = StateDir::new(&place.state_dir);
    let mut outcome = Outcome::default();
    hurry();
    // First the way that depends on no other process.
    let found = find_running();
    match &found {
        Ok(found) if *all => disarm(&mut outcome, found.iter().collect()),
        Ok(found) => disarm(&mut outcome, chosen(found, owner, state.owner(), Otherwise::All)),
        // A container has no privilege to look for it. The guard has its map.
        Err(error) => match guard::kill(&place.socket) {
            Ok(()) => outcome.done("stopped in the kernel, by the agent's guard process"),
            Err(guard) => outcome.missed(format!(
                "the kernel program was not reached: {error}; nor the guard process: {guard}"
            )),
        },
    }
    // The agent cancels requests in flight while the kill is written to disk, which may be slow.
    let asked = SentOrder::send(&place.socket, Order::Kill(why.clone()), PATIENCE);
    let killed = Killed::now(&who(), why);
    let mut remembered = state.kill(&killed);
    let answer = asked.and_then(SentOrder::answer);
    // The agent's record has less detail about the user, and may have been written later; and an agent that resumed at
    // the same time may have removed this one.
    if (answer.is_ok() || remembered.is_ok()) && !matches!(state.killed(), Ok(Some(kept)) if kept == killed) {
        remembered = state.kill(&killed);
    }
    outcome.answered(&answer, "the agent confirms: replays under way are cancelled");
    match &remembered {
        Ok(()) => say(&format!(
            "remembered in {}: a restarted agent stays stopped until `shadow resume`",
            state.path().display()
        )),
        // The agent writes it too, and may have permission where this command has not.
        Err(_) if answer.is_ok() => say("the agent remembers it over a restart"),
        Err(error) => outcome.missed(format!(
            "not remembered, so a restarted agent mirrors again: {error}"
        )),
    }
    let nobody = found.is_ok_and(|found| found.is_empty()) && matches!(answer, Err(ClientError::Absent(_)));
    if nobody && remembered.is_ok() {
        outcome.done("no agent runs on this host, so nothing is mirrored");
    }
    outcome.end("mirroring may continue")
}

/// Raises the priority of this command: a node that needs a kill is usually busy.
fn hurry() {
    // Without permission the command runs at normal priority; such a user could hardly kill either.
    setpriority_process(None, -20).ok();
}

fn disarm(outcome: &mut Outcome, agents: Vec<&RunningAgent>) {
    for agent in agents {
        match agent.control.disarm() {
            Ok(()) => outcome.done(&format!("stopped in the kernel ({})", name(agent))),
            Err(error) => outcome.missed(format!("not stopped in the kernel ({}): {error}", name(agent))),
        }
    }
}

/// Resumes mirroring: through the agent, or bypassing the agent if it runs but does not answer.
pub fn resume(args: &ResumeArgs) -> anyhow::Result<ExitCode> {
    let place = &args.place;
    let state = StateDir::new(&place.state_dir);
    let mut outcome = Outcome::default();
    let answer = client::ask(&place.socket, Order::Resume, PATIENCE);
    outcome.answered(&answer, "the agent confirms: it mirrors again");
    if is_absent(&answer) {
        match state.resume() {
            Ok(true) => outcome.done(&format!("the kill in {} is forgotten", state.path().display())),
            Ok(false) => outcome.missed(format!("no kill was remembered in {}", state.path().display())),
            Err(error) => outcome.missed(error.to_string()),
        }
        past(&mut outcome, &state, "switched on", |agent| agent.control.arm());
    }
    outcome.end("nothing was changed")
}

/// Changes the sample: through the agent, or bypassing the agent if it runs but does not answer.
pub fn sample(args: &SampleArgs) -> anyhow::Result<ExitCode> {
    let SampleArgs { rate, place } = args;
    let state = StateDir::new(&place.state_dir);
    let mut outcome = Outcome::default();
    let answer = client::ask(&place.socket, Order::Sample(*rate), PATIENCE);
    outcome.answered(&answer, &format!("the agent confirms: {rate} of connections"));
    if is_absent(&answer) {
        let what = format!("{rate} of connections");
        past(&mut outcome, &state, &what, |agent| {
            agent.control.set_sample(rate.fraction())
        });
    }
    outcome.end("the sample is as it was")
}

/// Whether the agent could not be reached. Its answer is final and is not bypassed.
fn is_absent(answer: &Result<Answer, ClientError>) -> bool {
    !matches!(
        answer,
        Ok(_) | Err(ClientError::Refused(_) | ClientError::Failed(_))
    )
}

/// Changes the kernel program of the selected agent directly.
fn past(
    outcome: &mut Outcome,
    state: &StateDir,
    what: &str,
    order: impl Fn(&RunningAgent) -> Result<(), ControlError>,
) {
    let found = match find_running() {
        Ok(found) => found,
        Err(error) => return outcome.missed(format!("the kernel program was not reached: {error}")),
    };
    let alive: Vec<RunningAgent> = found.into_iter().filter(RunningAgent::is_alive).collect();
    let chosen = chosen(&alive, owner, state.owner(), Otherwise::Only);
    if chosen.is_empty() && !alive.is_empty() {
        let number = alive.len();
        outcome.missed(format!(
            "{number} agents run with other state folders; name one with --state-dir"
        ));
    }
    for agent in chosen {
        match order(agent) {
            Ok(()) => outcome.done(&format!(
                "{what}, bypassing the agent, in the kernel ({})",
                name(agent)
            )),
            Err(error) => outcome.missed(format!("the kernel program ({}): {error}", name(agent))),
        }
    }
}

/// Selection of agents when none owns the state folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Otherwise {
    /// All agents: a kill switch must not ask back.
    All,
    /// The only agent. With several the command refuses, because starting the wrong one would be worse.
    Only,
}

/// The selected agents: the owner of the state folder, or the selection of `otherwise`.
fn chosen<T>(found: &[T], of: fn(&T) -> Owner, state: Option<Owner>, otherwise: Otherwise) -> Vec<&T> {
    let own: Vec<&T> = found.iter().filter(|agent| Some(of(agent)) == state).collect();
    match otherwise {
        _ if !own.is_empty() => own,
        Otherwise::All => found.iter().collect(),
        Otherwise::Only if found.len() == 1 => found.iter().collect(),
        Otherwise::Only => Vec::new(),
    }
}

/// Prints a message. A failed print does not stop the order from being carried out.
fn say(what: &str) {
    drop(output::print(&format!("{what}\n")));
}

/// The ways that worked and those that failed.
#[derive(Debug, Default)]
struct Outcome {
    done: bool,
    missed: Vec<String>,
}

impl Outcome {
    /// Records a way that worked.
    fn done(&mut self, what: &str) {
        self.done = true;
        say(what);
    }

    /// Records a way that failed.
    fn missed(&mut self, why: String) {
        self.missed.push(why);
    }

    fn answered(&mut self, answer: &Result<Answer, ClientError>, what: &str) {
        match answer {
            Ok(_) => self.done(what),
            Err(error) => self.missed(error.to_string()),
        }
    }

    /// Reports failed ways even when another one worked.
    fn end(self, otherwise: &str) -> anyhow::Result<ExitCode> {
        let Self { done, missed } = self;
        if done {
            for why in missed {
                crate::shown::complain(&why);
            }
            return Ok(Exit::Done.into());
        }
        Err(Failure::new(Exit::Unavailable, format!("{otherwise}: {}", missed.join("; "))).into())
    }
}

fn owner(agent: &RunningAgent) -> Owner {
    Owner {
        pid: agent.pid,
        started: agent.started,
    }
}

fn name(agent: &RunningAgent) -> String {
    format!("pid {}, map {}", agent.pid, agent.map_id)
}

/// The user who gives the order, for the record.
fn who() -> String {
    let user = ["SUDO_USER", "USER"]
        .into_iter()
        .find_map(|name| env::var(name).ok());
    let uid = rustix::process::getuid().as_raw();
    match user {
        Some(user) => format!("{user} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn agent(pid: u32) -> Owner {
        Owner { pid, started: 1 }
    }

    fn pids(found: &[Owner], state: Option<Owner>, otherwise: Otherwise) -> Vec<u32> {
        let chosen = chosen(found, |owner| *owner, state, otherwise);
        chosen.into_iter().map(|owner| owner.pid).collect()
    }

    #[test]
    fn the_agent_of_the_state_folder_is_meant() {
        let found = [agent(1), agent(2)];
        for otherwise in [Otherwise::All, Otherwise::Only] {
            assert_eq!(pids(&found, Some(agent(2)), otherwise), [2], "{otherwise:?}");
        }
    }

    #[test]
    fn without_one_a_kill_stops_all_and_nothing_else_guesses() {
        let found = [agent(1), agent(2)];
        // A reused process id belongs to another process.
        let former = Owner { pid: 2, started: 9 };
        for state in [None, Some(former)] {
            assert_eq!(pids(&found, state, Otherwise::All), [1, 2]);
            assert_eq!(pids(&found, state, Otherwise::Only), [0; 0]);
            assert_eq!(
                pids(&found[..1], state, Otherwise::Only),
                [1],
                "the only one there is"
            );
        }
        assert_eq!(pids(&[], None, Otherwise::All), [0; 0]);
    }
}
