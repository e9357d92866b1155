//! The permitted differences, each with its reason. A difference without a reason fails the test.

use super::{
    Difference,
    dissect::{Kind, Message},
};
use crate::row::Row;

struct Permission {
    reason: &'static str,
    holds: fn(&Difference<'_>) -> bool,
}

/// The first one that applies is the reason.
const PERMITTED: &[Permission] = &[
    Permission {
        reason: "an exchange is not whole or has two readings (its reason says which); tshark shows what it could dissect",
        holds: |difference| {
            !difference.ours.is_empty()
                && difference.ours.iter().all(|row| !row.complete)
                && difference.is_covered()
        },
    },
    Permission {
        reason: "bytes are missing from the capture: tshark stops dissecting there, \
                 where the length of the body says where the next message begins",
        holds: |difference| count(difference, "gaps") > 0 && difference.is_covered(),
    },
    Permission {
        reason: "the connection was left (not HTTP, another protocol, framing or step lost); \
                 tshark goes on with what may be a message",
        holds: |difference| {
            let left = difference.summary.abandoned.values().sum::<u64>() > 0;
            let explained = difference.ours.iter().all(|row| !row.complete);
            left && explained && difference.is_covered_until_left()
        },
    },
    Permission {
        reason: "tshark knows no request with an unregistered method or behind an empty line (RFC 9112 section 2.2)",
        holds: |difference| {
            difference.requests.is_empty()
                && difference.ours.len() == difference.responses.len()
                && pairs(difference).all(|(row, response)| response.is_response_of(row))
        },
    },
    Permission {
        reason: "tshark takes the Content-Length of a pipelined HEAD's answer for a body and so \
                 swallows the answers behind it (RFC 9110 section 9.3.2)",
        holds: |difference| {
            let head = difference
                .reading
                .ours
                .iter()
                .any(|row| row.method.as_deref() == Some("HEAD"));
            let rows = &difference.reading.ours;
            let requests = &difference.reading.requests;
            head && rows.len() == requests.len()
                && rows
                    .iter()
                    .zip(requests)
                    .all(|(row, request)| request.is_request_of(row))
                && difference.responses.len() < difference.ours.len()
        },
    },
    Permission {
        reason: "tshark takes the answers to pipelined requests for answers to the last one, and gives them no body when that is a HEAD",
        holds: |difference| {
            let reading = difference.reading;
            let head = reading
                .ours
                .iter()
                .any(|row| row.method.as_deref() == Some("HEAD"));
            let without_body = |(row, response): (&Row, &Message)| {
                response.body == 0 && response.kind == Kind::Response(row.status.unwrap_or_default())
            };
            head && reading.requests.len() == reading.ours.len()
                && difference.ours.len() == difference.responses.len()
                && pairs(difference).all(without_body)
        },
    },
    Permission {
        reason: "a body was sent after the answer to a HEAD, which has none (RFC 9110 section 9.3.2): \
                 tshark takes it, here it begins no message",
        holds: |difference| {
            let head = |row: &&Row| row.complete && row.method.as_deref() == Some("HEAD");
            difference.ours.iter().all(|row| head(row) || !row.complete)
                && difference.ours.iter().any(head)
                && difference.is_covered_until_left()
        },
    },
];

/// The reason for a difference, if there is one.
pub(super) fn permit(difference: &Difference<'_>) -> Option<&'static str> {
    PERMITTED
        .iter()
        .find(|permission| (permission.holds)(difference))
        .map(|permission| permission.reason)
}

fn count(difference: &Difference<'_>, counter: &str) -> u64 {
    difference
        .summary
        .engine
        .get(counter)
        .copied()
        .unwrap_or_default()
}

fn pairs<'a>(difference: &'a Difference<'a>) -> impl Iterator<Item = (&'a Row, &'a Message)> {
    difference
        .ours
        .iter()
        .copied()
        .zip(difference.responses.iter().copied())
}

impl Difference<'_> {
    /// Whether each message of tshark's appears in a row of ours that has no equal.
    fn is_covered(&self) -> bool {
        self.requests.iter().all(|message| self.is_known(message))
            && self.responses.iter().all(|message| self.is_known(message))
    }

    /// The same for the messages before the one at which the connection was abandoned.
    fn is_covered_until_left(&self) -> bool {
        let rows = self.reading.ours.len();
        let known = |messages: &[&Message]| {
            messages
                .iter()
                .take(rows)
                .filter(|message| !self.is_known(message))
                .count()
                <= usize::from(rows > 0)
        };
        known(&self.requests) && known(&self.responses)
    }

    fn is_known(&self, message: &Message) -> bool {
        self.ours.iter().any(|row| match &message.kind {
            Kind::Request { method, target } => {
                row.method.as_ref() == Some(method) && row.target.as_ref() == Some(target)
            }
            Kind::Response(status) => row.status.is_none_or(|ours| ours == *status),
        })
    }
}
