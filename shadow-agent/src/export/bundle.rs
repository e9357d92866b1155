//! One mismatch in one file: all that is needed to examine it, and to replay it, away from the node.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use shadow_core::{case::Case, evidence::report::Group};

use super::packets;

/// The value of `format` in every bundle.
pub const FORMAT: &str = "shadow-bundle";

/// The version of [`Bundle`]. It changes when a reader of the previous version would misread this one.
pub const VERSION: u32 = 1;

/// One mismatch with all known details.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Bundle {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The version of Shadow that made it.
    pub made_by: String,
    /// The time of the export, in milliseconds since 1970-01-01T00:00:00Z.
    pub made_ms: u64,
    /// The request, both answers, and the differences.
    pub case: Case,
    /// The groups it belongs to, as far as they are known.
    pub groups: Vec<Group>,
    /// The section `compare` of the configuration that was in force; null when that is not known.
    pub rules: Value,
    /// The exchange as packets.
    pub packets: Packets,
}

/// The exchange as packets, for Wireshark.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Packets {
    /// The origin of the packets, and the differences from the captured ones.
    pub note: String,
    /// The format of `data` once decoded.
    pub format: String,
    /// A capture file, in base64.
    pub data: String,
}

/// A file that is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not JSON, or not the JSON of a bundle.
    #[error("it is no bundle of `shadow diffs export --bundle`: {0}")]
    Foreign(String),
    /// A bundle of another version.
    #[error(
        "it is a bundle of version {0}, and this version of Shadow reads {VERSION}: use the `shadow` that made it"
    )]
    Version(u32),
}

impl Bundle {
    /// A bundle of a case.
    pub fn new(case: Case, groups: Vec<Group>, rules: Value, made_ms: u64) -> std::io::Result<Self> {
        let data = packets::rebuilt(&case)?;
        Ok(Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            made_ms,
            case,
            groups,
            rules,
            packets: Packets {
                note: packets::NOTE.to_owned(),
                format: "pcapng".to_owned(),
                data: BASE64_STANDARD.encode(data),
            },
        })
    }

    /// Reads a bundle.
    pub fn read(text: &str) -> Result<Self, BundleError> {
        #[derive(Deserialize)]
        struct Head {
            format: String,
            version: u32,
        }
        let foreign = |error: serde_json::Error| BundleError::Foreign(error.to_string());
        let Head { format, version } = serde_json::from_str(text).map_err(foreign)?;
        if format != FORMAT {
            return Err(BundleError::Foreign(format!("its format is {format:?}")));
        }
        if version != VERSION {
            return Err(BundleError::Version(version));
        }
        serde_json::from_str(text).map_err(foreign)
    }

    /// The capture file.
    pub fn capture(&self) -> Result<Vec<u8>, BundleError> {
        BASE64_STANDARD
            .decode(&self.packets.data)
            .map_err(|error| BundleError::Foreign(error.to_string()))
    }
}
