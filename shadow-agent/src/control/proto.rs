//! One JSON object a line: a request, then its reply.
//!
//! `{"v":1,"verb":"sample","rate":"5%"}` is answered by `{"v":1,"done":true}`, `{"v":1,"status":{...}}` or
//! `{"v":1,"error":"..."}`, with `"failed":true` if it was attempted. A connection may carry any number of requests,
//! one after the other.
//!
//! On the wire these are plain structs: serde's flattened and tagged enums buffer their numbers, which
//! `serde_json` cannot read back with its `arbitrary_precision`, which the comparison of JSON bodies needs.

use serde::{Deserialize, Serialize};
use shadow_core::evidence::{Evidence, report::Report};

use super::{reload::Reloaded, status::Status};
use shadow_proto::units::Rate;

use crate::{
    command::CommandError,
    rollout::{self, RolloutStatus},
};

/// The version of the protocol. It changes when a request would be misread by the other version.
pub const VERSION: u32 = 1;

/// The longest request, with its line feed.
pub const MAX_REQUEST: usize = 4096;

/// The longest reply a client reads: a report with all its groups and samples.
pub const MAX_REPLY: u64 = 64 << 20;

/// A request.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Ask for the status.
    Status,
    /// Ask for the report.
    Report,
    /// Ask for the counts that the report is made of.
    Evidence,
    /// Change the sampled share of connections.
    Sample(Rate),
    /// Stop all mirroring; with the reason, for the record.
    Kill(String),
    /// Revoke a kill.
    Resume,
    /// Move the rollout, or ask for its place.
    Rollout(rollout::Order),
    /// Read the configuration again.
    Reload,
    /// Forget which values of the two systems correspond.
    ForgetValues,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It was done.
    Done,
    /// To [`Order::Status`].
    Status(Box<Status>),
    /// To [`Order::Report`].
    Report(Box<Report>),
    /// To [`Order::Evidence`].
    Evidence(Box<Evidence>),
    /// To [`Order::Rollout`].
    Rollout(Box<RolloutStatus>),
    /// To [`Order::Reload`].
    Reloaded(Reloaded),
    /// It was not done, and the reason.
    Error(CommandError),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Request {
    v: u32,
    verb: Verb,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    action: Option<Action>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Status,
    Report,
    Evidence,
    Sample,
    Kill,
    Resume,
    Rollout,
    Reload,
    ForgetValues,
}

/// A rollout request.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Status,
    Start,
    Pause,
    Resume,
    Advance,
    Abort,
}

#[derive(Default, Deserialize, Serialize)]
struct Reply {
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<Box<Status>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<Box<Report>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evidence: Option<Box<Evidence>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollout: Option<Box<RolloutStatus>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reloaded: Option<Reloaded>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<bool>,
}

impl Order {
    /// As one line.
    pub fn line(self) -> Vec<u8> {
        let mut request = Request {
            v: VERSION,
            verb: Verb::Status,
            rate: None,
            why: None,
            action: None,
            phase: None,
        };
        match self {
            Self::Status => {}
            Self::Report => request.verb = Verb::Report,
            Self::Evidence => request.verb = Verb::Evidence,
            Self::Sample(rate) => (request.verb, request.rate) = (Verb::Sample, Some(rate)),
            Self::Kill(why) => (request.verb, request.why) = (Verb::Kill, Some(why)),
            Self::Resume => request.verb = Verb::Resume,
            Self::Reload => request.verb = Verb::Reload,
            Self::ForgetValues => request.verb = Verb::ForgetValues,
            Self::Rollout(order) => {
                request.verb = Verb::Rollout;
                request.action = Some(match order {
                    rollout::Order::Status => Action::Status,
                    rollout::Order::Start => Action::Start,
                    rollout::Order::Resume => Action::Resume,
                    rollout::Order::Pause(why) => {
                        request.why = Some(why);
                        Action::Pause
                    }
                    rollout::Order::Abort(why) => {
                        request.why = Some(why);
                        Action::Abort
                    }
                    rollout::Order::Advance(phase) => {
                        request.phase = Some(phase);
                        Action::Advance
                    }
                });
            }
        }
        line(&request)
    }

    /// Reads a request. The error is for the client: it names the fault without repeating the input.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            v: u32,
        }
        let Versioned { v } = serde_json::from_slice(line).map_err(|_unread: serde_json::Error| {
            "not a request: it must be one JSON object a line with \"v\" and \"verb\"".to_owned()
        })?;
        if v != VERSION {
            return Err(format!(
                "protocol version {v}, this agent speaks {VERSION}: use the `shadow` of the same version"
            ));
        }
        let request: Request = serde_json::from_slice(line).map_err(|_unread: serde_json::Error| {
            "unknown verb or argument: status, report, evidence, sample with \"rate\", kill with \"why\", resume, rollout with \
             \"action\", reload, forget_values"
                .to_owned()
        })?;
        Ok(match request.verb {
            Verb::Status => Self::Status,
            Verb::Report => Self::Report,
            Verb::Evidence => Self::Evidence,
            Verb::Sample => Self::Sample(request.rate.ok_or("sample needs \"rate\", such as \"5%\"")?),
            Verb::Kill => Self::Kill(request.why.unwrap_or_default()),
            Verb::Resume => Self::Resume,
            Verb::Reload => Self::Reload,
            Verb::ForgetValues => Self::ForgetValues,
            Verb::Rollout => Self::Rollout(request.rollout()?),
        })
    }
}

impl Request {
    fn rollout(self) -> Result<rollout::Order, String> {
        let why = self.why.unwrap_or_default();
        let action = self
            .action
            .ok_or("rollout needs \"action\": status, start, pause, resume, advance or abort")?;
        Ok(match action {
            Action::Status => rollout::Order::Status,
            Action::Start => rollout::Order::Start,
            Action::Pause => rollout::Order::Pause(why),
            Action::Resume => rollout::Order::Resume,
            Action::Abort => rollout::Order::Abort(why),
            Action::Advance => {
                let phase = self.phase.ok_or("advance needs \"phase\", the one to go to")?;
                rollout::Order::Advance(phase)
            }
        })
    }
}

impl Answer {
    /// As one line.
    pub fn line(self) -> Vec<u8> {
        let mut reply = Reply {
            v: VERSION,
            ..Reply::default()
        };
        match self {
            Self::Done => reply.done = Some(true),
            Self::Status(status) => reply.status = Some(status),
            Self::Report(report) => reply.report = Some(report),
            Self::Evidence(evidence) => reply.evidence = Some(evidence),
            Self::Rollout(status) => reply.rollout = Some(status),
            Self::Reloaded(reloaded) => reply.reloaded = Some(reloaded),
            Self::Error(error) => {
                reply.failed = matches!(error, CommandError::Failed(_)).then_some(true);
                reply.error = Some(error.to_string());
            }
        }
        line(&reply)
    }

    /// Reads a reply; the error says why it cannot be understood.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let reply: Reply = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match reply {
            Reply { v, .. } if v != VERSION => Err(format!("protocol version {v}")),
            Reply {
                error: Some(why),
                failed: Some(true),
                ..
            } => Ok(Self::Error(CommandError::Failed(why))),
            Reply { error: Some(why), .. } => Ok(Self::Error(CommandError::Refused(why))),
            Reply {
                status: Some(status), ..
            } => Ok(Self::Status(status)),
            Reply {
                report: Some(report), ..
            } => Ok(Self::Report(report)),
            Reply {
                evidence: Some(evidence),
                ..
            } => Ok(Self::Evidence(evidence)),
            Reply {
                rollout: Some(status),
                ..
            } => Ok(Self::Rollout(status)),
            Reply {
                reloaded: Some(reloaded),
                ..
            } => Ok(Self::Reloaded(reloaded)),
            Reply { done: Some(true), .. } => Ok(Self::Done),
            Reply { .. } => Err("an empty answer".to_owned()),
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Plain structs with text keys: writing them cannot fail. If it did, the peer would read an empty line as foreign.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
