//! One JSON object a line: a request, then its reply.
//!
//! `{"v":1,"verb":"sample","rate":"5%"}` is answered by `{"v":1,"done":true}`, `{"v":1,"status":{...}}` or
//! `{"v":1,"error":"..."}`. A connection may carry any number of requests, one after the other.
//!
//! On the wire these are plain structs: serde's flattened and tagged enums buffer their numbers, which
//! `serde_json` cannot read back with its `arbitrary_precision`, which the comparison of JSON bodies needs.

use serde::{Deserialize, Serialize};
use shadow_core::evidence::report::Report;

use super::status::Status;
use crate::config::units::Rate;

/// The version of the protocol. It changes when a request would be misread by the other version.
pub const VERSION: u32 = 1;

/// The longest request, with its line feed.
pub const MAX_REQUEST: usize = 4096;

/// The longest reply a client reads: a report with all its groups and samples.
pub const MAX_REPLY: u64 = 64 << 20;

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// What the agent is doing.
    Status,
    /// What it has found.
    Report,
    /// Change the sampled share of connections.
    Sample(Rate),
    /// Stop all mirroring; why, for the record.
    Kill(String),
    /// Take a kill back.
    Resume,
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
    /// It was not done, and why.
    Error(String),
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
}

#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Status,
    Report,
    Sample,
    Kill,
    Resume,
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
    error: Option<String>,
}

impl Order {
    /// As one line.
    pub fn line(self) -> Vec<u8> {
        let (verb, rate, why) = match self {
            Self::Status => (Verb::Status, None, None),
            Self::Report => (Verb::Report, None, None),
            Self::Sample(rate) => (Verb::Sample, Some(rate), None),
            Self::Kill(why) => (Verb::Kill, None, Some(why)),
            Self::Resume => (Verb::Resume, None, None),
        };
        line(&Request {
            v: VERSION,
            verb,
            rate,
            why,
        })
    }

    /// Reads a request. The error is for the client: it says what was wrong without repeating what was sent.
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
            "unknown verb or argument: status, report, sample with \"rate\", kill with \"why\", resume"
                .to_owned()
        })?;
        Ok(match request.verb {
            Verb::Status => Self::Status,
            Verb::Report => Self::Report,
            Verb::Sample => Self::Sample(request.rate.ok_or("sample needs \"rate\", such as \"5%\"")?),
            Verb::Kill => Self::Kill(request.why.unwrap_or_default()),
            Verb::Resume => Self::Resume,
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
            Self::Error(error) => reply.error = Some(error),
        }
        line(&reply)
    }

    /// Reads a reply; the error says why it cannot be understood.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let reply: Reply = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        match reply {
            Reply { v, .. } if v != VERSION => Err(format!("protocol version {v}")),
            Reply {
                error: Some(error), ..
            } => Ok(Self::Error(error)),
            Reply {
                status: Some(status), ..
            } => Ok(Self::Status(status)),
            Reply {
                report: Some(report), ..
            } => Ok(Self::Report(report)),
            Reply { done: Some(true), .. } => Ok(Self::Done),
            Reply { .. } => Err("an empty answer".to_owned()),
        }
    }
}

fn line(value: &impl Serialize) -> Vec<u8> {
    // Plain structs with text keys: writing them cannot fail. Were it to, the other end reads an empty line as foreign.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}
