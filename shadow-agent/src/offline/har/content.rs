//! Content of both messages: from its form in an archive to the bytes on the wire.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::Value;
use shadow_proto::exchange::{Incomplete, Response};

use super::{
    attached::Folder,
    charset::{self, Lengths, parameter},
    fields::{field, has},
    lenient::{size, text},
    url::quoted,
};

type Fields = [(String, String)];

/// A response, and the reason if the exchange is incomplete.
pub(super) struct Answer {
    pub(super) response: Option<Response>,
    pub(super) incomplete: Option<Incomplete>,
}

/// The content of a response.
#[derive(Default)]
pub(super) struct Saved {
    pub(super) bytes: Vec<u8>,
    /// The least number of bytes that were not saved.
    pub(super) missing: u64,
    /// Whether the bytes on the wire cannot be derived from the saved content.
    pub(super) altered: bool,
    /// Whether the bytes still have their content coding.
    pub(super) coded: bool,
}

/// The content of a request, or the reason why it cannot be sent.
pub(super) fn posted(
    asked: &Value,
    method: &str,
    fields: &Fields,
    folder: &Folder,
) -> Result<Vec<u8>, Incomplete> {
    let posted = &asked["postData"];
    let announced = announced(fields);
    let counted = size(&asked["bodySize"]);
    let lengths = Lengths {
        certain: announced,
        counted,
    };
    let fits = |bytes: &Vec<u8>| announced.is_none_or(|length| length == bytes.len() as u64);
    if let Some(name) = text(&posted["_file"]) {
        let bytes = folder.read(&name).map_err(|_error| Incomplete::BodyNotSaved)?;
        return Some(bytes).filter(fits).ok_or(Incomplete::BodyAltered);
    }
    let saved = if posted.is_string() {
        posted
    } else {
        &posted["text"]
    };
    if saved.is_object() || saved.is_array() {
        return Err(Incomplete::BodyAltered);
    }
    let content_type = media_type(fields, posted);
    if let Some(saved) = text(saved).filter(|text| !text.is_empty()) {
        let characters = saved.chars().count() as u64;
        let coding = text(&posted["encoding"]).or_else(|| text(&posted["_encoding"]));
        let bytes = match Coding::of(coding.as_deref()) {
            Coding::Base64 => base64(&saved).filter(fits),
            Coding::None => {
                undeclared(&saved, lengths).or_else(|| charset::bytes(saved, &content_type, lengths))
            }
            Coding::Unknown => None,
        };
        let bytes = bytes.ok_or(Incomplete::BodyAltered)?;
        // Cut off at the recorder's limit.
        let cut = counted.is_some_and(|counted| counted > bytes.len() as u64 && counted > characters);
        return if announced.is_none() && cut {
            Err(Incomplete::BodyAltered)
        } else {
            Ok(bytes)
        };
    }
    if let Some(params) = posted["params"].as_array().filter(|params| !params.is_empty()) {
        return from_params(params, &content_type, lengths);
    }
    let expected = announced.or(counted.filter(|counted| *counted > 0));
    let may_have_none = matches!(
        method,
        "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT"
    );
    let empty = match expected {
        Some(length) => length == 0,
        None if has(fields, "transfer-encoding") => false,
        None => may_have_none || (counted == Some(0) && !has(fields, "content-type")),
    };
    if empty {
        Ok(Vec::new())
    } else {
        Err(Incomplete::BodyNotSaved)
    }
}

/// The media type of the message, or else the one that the recorder assumed.
fn media_type(fields: &Fields, content: &Value) -> String {
    let sent = field(fields, "content-type").map(str::to_owned);
    sent.or_else(|| text(&content["mimeType"])).unwrap_or_default()
}

fn announced(fields: &Fields) -> Option<u64> {
    field(fields, "content-length")?.parse().ok()
}

/// A form whose fields alone were saved.
fn from_params(params: &[Value], content_type: &str, lengths: Lengths) -> Result<Vec<u8>, Incomplete> {
    let Lengths { certain, counted } = lengths;
    let fits = |bytes: &[u8]| {
        let length = bytes.len() as u64;
        certain.or(counted.filter(|counted| *counted > 0)) == Some(length)
    };
    let known = certain.is_some() || counted.is_some_and(|counted| counted > 0);
    let is_multipart = content_type
        .trim_start()
        .to_ascii_lowercase()
        .starts_with("multipart/");
    if is_multipart {
        let files = params
            .iter()
            .any(|part| part.get("fileName").is_some_and(|name| !name.is_null()));
        let boundary = parameter(content_type, "boundary").ok_or(Incomplete::BodyNotSaved)?;
        let bytes = multipart(params, boundary).ok_or(Incomplete::BodyNotSaved)?;
        let certain = if known { fits(&bytes) } else { !files };
        return if certain {
            Ok(bytes)
        } else {
            Err(Incomplete::BodyNotSaved)
        };
    }
    let pair = |part: &Value| Some((text(&part["name"])?, text(&part["value"]).unwrap_or_default()));
    let pairs: Vec<_> = params
        .iter()
        .map(pair)
        .collect::<Option<_>>()
        .ok_or(Incomplete::BodyNotSaved)?;
    let joined = |quote: fn(&str) -> String| {
        let all: Vec<String> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", quote(name), quote(value)))
            .collect();
        all.join("&").into_bytes()
    };
    // Some recorders save the fields as they were sent, others decode them.
    let (as_is, encoded) = (joined(str::to_owned), joined(quoted));
    let sendable = |text: &str| {
        !text
            .bytes()
            .any(|byte| matches!(byte, b' ' | b'&' | b'=' | 0..0x20 | 0x7f..))
    };
    let may_be_sent = pairs
        .iter()
        .all(|(name, value)| sendable(name) && sendable(value));
    match (fits(&as_is) && may_be_sent, fits(&encoded)) {
        (_, true) => Ok(encoded),
        (true, false) => Ok(as_is),
        // Not known to be wrong: a count of characters, or no count.
        (false, false) if certain.is_none() && (!may_be_sent || as_is == encoded) => Ok(encoded),
        (false, false) => Err(Incomplete::BodyAltered),
    }
}

/// Parts in the form in which browsers write them (RFC 7578).
fn multipart(params: &[Value], boundary: &str) -> Option<Vec<u8>> {
    let quoted = |text: &str| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let mut out = String::new();
    for part in params {
        let (name, value) = (text(&part["name"])?, text(&part["value"])?);
        let disposition = "\r\nContent-Disposition: form-data; name=\"";
        out.extend(["--", boundary, disposition, &*quoted(&name), "\""]);
        if let Some(file) = text(&part["fileName"]) {
            out.extend(["; filename=\"", &*quoted(&file), "\""]);
        }
        if let Some(kind) = text(&part["contentType"]).filter(|kind| !kind.is_empty()) {
            out.extend(["\r\nContent-Type: ", &*kind]);
        }
        out.extend(["\r\n\r\n", &*value, "\r\n"]);
    }
    out.extend(["--", boundary, "--\r\n"]);
    Some(out.into_bytes())
}

/// The content of a response with this status, to this method.
pub(super) fn saved(answered: &Value, status: u16, method: &str, fields: &Fields, folder: &Folder) -> Saved {
    if method == "HEAD" || matches!(status, 100..=199 | 204 | 304) {
        return Saved::default();
    }
    let content = &answered["content"];
    let is_coded = field(fields, "content-encoding").is_some_and(|coding| !matches!(coding, "" | "identity"));
    // The length on the wire is that of the content unless the content was coded.
    let certain = announced(fields).filter(|_| !is_coded && !has(fields, "transfer-encoding"));
    let counted = size(&content["size"]);
    let fits = |bytes: &Vec<u8>| certain.is_none_or(|length| length == bytes.len() as u64);
    let altered = || Saved {
        altered: true,
        ..Saved::default()
    };
    let whole = |bytes: Vec<u8>| Saved {
        coded: is_coded && still_coded(&bytes),
        bytes,
        ..Saved::default()
    };
    if let Some(name) = text(&content["_file"]) {
        return match folder.read(&name) {
            Ok(bytes) if fits(&bytes) => whole(bytes),
            Ok(_) => altered(),
            Err(_) => unsaved(answered, fields),
        };
    }
    let found = if content.is_string() {
        content
    } else {
        &content["text"]
    };
    if found.is_object() || found.is_array() {
        return altered();
    }
    let Some(found) = text(found).filter(|text| !text.is_empty()) else {
        let explicit = found.is_string() && certain.unwrap_or(0) == 0 && counted.unwrap_or(0) == 0;
        return if explicit {
            Saved::default()
        } else {
            unsaved(answered, fields)
        };
    };
    let stored = found.len() as u64;
    let content_type = media_type(fields, content);
    let bytes = match Coding::of(text(&content["encoding"]).as_deref()) {
        Coding::Base64 => base64(&found).filter(fits),
        Coding::None if certain.is_none() && twice_decoded(&found, &content_type) => None,
        Coding::None => undeclared(&found, Lengths { certain, counted })
            .or_else(|| charset::bytes(found, &content_type, Lengths { certain, counted })),
        Coding::Unknown => None,
    };
    let Some(bytes) = bytes else {
        return altered();
    };
    // Cut off at the recorder's limit.
    let longest = stored.max(bytes.len() as u64);
    match counted.filter(|counted| certain.is_none() && *counted > longest) {
        Some(counted) => Saved {
            missing: counted - longest,
            ..whole(bytes)
        },
        None => whole(bytes),
    }
}

/// A response without saved content: the least length that it had.
fn unsaved(answered: &Value, fields: &Fields) -> Saved {
    let announced = field(fields, "content-length").map(|length| length.parse().unwrap_or(1));
    let sizes = [&answered["content"]["size"], &answered["bodySize"]].map(size);
    // Without any size it is not known that there was no content.
    let missing = sizes.into_iter().flatten().chain(announced).max().unwrap_or(1);
    Saved {
        missing,
        ..Saved::default()
    }
}

/// Whether content is still coded as it was sent: by the first bytes of gzip and zstd.
fn still_coded(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b]) || bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
}

/// Whether a text looks like UTF-8 that was decoded as windows-1252, for lack of a declared charset.
fn twice_decoded(text: &str, content_type: &str) -> bool {
    if text.is_ascii() || parameter(content_type, "charset").is_some() {
        return false;
    }
    let (bytes, _, lossy) = encoding_rs::WINDOWS_1252.encode(text);
    !lossy && str::from_utf8(&bytes).is_ok()
}

enum Coding {
    None,
    Base64,
    Unknown,
}

impl Coding {
    fn of(name: Option<&str>) -> Self {
        match name.unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "utf-8" | "utf8" | "text" | "identity" | "none" => Self::None,
            "base64" => Self::Base64,
            _ => Self::Unknown,
        }
    }
}

/// Content in base64 that is not marked as such: the text decodes to exactly the length that is known, and has another
/// one itself.
fn undeclared(text: &str, lengths: Lengths) -> Option<Vec<u8>> {
    let length = lengths.certain.or(lengths.counted).filter(|length| *length > 0)?;
    if text.len() as u64 == length || !text.is_ascii() {
        return None;
    }
    base64(text).filter(|bytes| bytes.len() as u64 == length)
}

/// Base64 of either alphabet, with or without padding, white space, and the beginning of a `data:` URL.
fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let data = text
        .strip_prefix("data:")
        .and_then(|rest| rest.split_once(";base64,"));
    let text = data.map_or(text, |(_, text)| text);
    let text: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let alphabet = if text.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        URL_SAFE
    } else {
        STANDARD
    };
    GeneralPurpose::new(&alphabet, LENIENT).decode(text).ok()
}
