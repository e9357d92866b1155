//! Descriptions of the reasons for incomplete exchanges.

use shadow_proto::exchange::{Exchange, Headers, Incomplete, Version};

/// The meaning of a reason. For an ambiguous message it includes the possible readings, as far as the heads show them.
pub(crate) fn meaning(exchange: &Exchange, reason: Incomplete) -> &'static str {
    match reason {
        Incomplete::AmbiguousFraming => readings(exchange),
        other => of(other),
    }
}

/// The meaning of a reason.
pub(crate) const fn of(reason: Incomplete) -> &'static str {
    match reason {
        Incomplete::Midstream => {
            "the beginning of the connection, or a message of it, was not captured: an answer may be another request's, until \
             three rounds in a row were strict"
        }
        Incomplete::RequestGap => "bytes of the request were not captured",
        Incomplete::ResponseGap => "bytes of the response, or all of it, were not captured",
        Incomplete::RequestCut => {
            "the connection ended, or the answer came and it was left, inside the request"
        }
        Incomplete::ResponseCut => "the connection ended inside the response",
        Incomplete::NoResponse => "the connection ended before a response",
        Incomplete::Unrequested => {
            "no request that was seen can be meant: none was open, or the sender had not received it yet"
        }
        Incomplete::AmbiguousFraming => {
            "two readers could take the head or the framing of the body differently (RFC 9112 sections 2.2, 5.2, 6.3, 7.1)"
        }
        Incomplete::AmbiguousHost => {
            "two readers could take the request to be for two hosts: several Host fields, a value that is no host, or another \
             host in the target (RFC 9112 sections 3.2, 3.2.2)"
        }
        Incomplete::Malformed => "not HTTP by its grammar (RFC 9112, RFC 9113 section 8)",
        Incomplete::HeadTooLarge => "a head, its fields or its trailers are over the limit",
        Incomplete::ConflictingOverlap => "the same bytes were sent twice, and not alike",
        Incomplete::UrgentData => {
            "urgent data came on the connection, which an application may read elsewhere or not at all (RFC 9293 section 3.8.5)"
        }
        Incomplete::Multipath => "Multipath TCP spread the stream over several TCP connections (RFC 8684)",
        Incomplete::PipelineFull => "more requests without an answer than are followed",
        Incomplete::Evicted => "given up to stay under a limit",
        Incomplete::Idle => "nothing more came for too long",
        Incomplete::CaptureEnd => "the capture ended first",
        Incomplete::H2HeaderState => {
            "a field refers to an entry of the dynamic table that was not captured, or its block was not (RFC 7541)"
        }
        Incomplete::H2JoinedMidway => {
            "HTTP/2 joined in the middle of the connection: where frames begin is not proven until three exchanges fit"
        }
        Incomplete::H2Gap => {
            "frames of HTTP/2 were not captured: where the next ones begin is not proven until three exchanges fit"
        }
        Incomplete::H2Reset => "the stream was reset before both messages had ended (RST_STREAM)",
        Incomplete::H2Unprocessed => {
            "the server refused the stream, or went away without it (RFC 9113 section 8.7)"
        }
        Incomplete::H2Tunnel => {
            "CONNECT: the stream carries another protocol (RFC 9113 section 8.5, RFC 8441)"
        }
        Incomplete::BodyNotSaved => "the recording does not hold the content of the request",
        Incomplete::BodyAltered => "the bytes on the wire do not follow from the content that was recorded",
        Incomplete::BadRecord => "the record cannot be read, or has no request in it",
    }
}

const UNASKED: &str = "the answer came before the body that the client held back, and what follows may be that body or the \
                       next request (RFC 9110 section 10.1.1)";

/// The later message on the wire is the one that could not be read.
fn readings(exchange: &Exchange) -> &'static str {
    let request = &exchange.request;
    let (headers, version) = match &exchange.response {
        Some(response) => (&response.headers, response.version),
        None => (&request.headers, request.version),
    };
    let unasked = exchange.response.is_some() && request.headers.get("expect").is_some();
    in_head(headers, version)
        .or_else(|| in_head(&request.headers, request.version))
        .or_else(|| unasked.then_some(UNASKED))
        .unwrap_or(
            "a bare line feed, a folded or odd line in a head, or bytes after the message that begin no other (RFC 9112 \
             sections 2.2, 5.1, 5.2)",
        )
}

fn in_head(headers: &Headers, version: Version) -> Option<&'static str> {
    let coded = headers.get("transfer-encoding").is_some();
    let mut lengths = headers.get_all("content-length");
    match (coded, lengths.next()) {
        (true, Some(_)) => Some("both Transfer-Encoding and Content-Length (RFC 9112 section 6.3, rule 3)"),
        (true, None) if version == Version::Http10 => {
            Some("Transfer-Encoding in HTTP/1.0 (RFC 9112 section 6.1)")
        }
        (true, None) => Some(
            "a transfer coding that is not chunked alone, or a chunk whose size or end two readers could take differently (RFC \
             9112 sections 6.1, 7.1)",
        ),
        (false, Some(first)) => {
            let plain = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
            let several = lengths.any(|other| other != first);
            (several || !plain(first))
                .then_some("a Content-Length that is not one number (RFC 9112 section 6.3, rule 5)")
        }
        (false, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_readings_are_told_apart_by_the_heads() {
        let shown = |fields: &[(&str, &str)], version| {
            in_head(&Headers::from_pairs(fields.iter().copied()), version).unwrap_or("nothing")
        };
        let (length, coding) = (("Content-Length", "5"), ("Transfer-Encoding", "chunked"));
        let cases = [
            (&[length, coding][..], Version::Http11, "both"),
            (&[coding], Version::Http10, "HTTP/1.0"),
            (&[coding], Version::Http11, "chunk"),
            (&[length, ("content-length", "6")], Version::Http11, "one number"),
            (&[("Content-Length", "+5")], Version::Http11, "one number"),
            (&[length, length], Version::Http11, "nothing"),
            (&[], Version::Http11, "nothing"),
        ];
        for (fields, version, words) in cases {
            assert!(
                shown(fields, version).contains(words),
                "{fields:?}: {}",
                shown(fields, version)
            );
        }
    }
}
