//! The output of `shadow inspect --json`, parsed.

use std::{collections::BTreeMap, io::Read};

use serde::Deserialize;
use shadow_agent::{
    capture::pcap::PcapFile,
    inspect::{Filter, Format, Pace, inspect},
};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub(crate) struct Row {
    pub(crate) flow: Flow,
    pub(crate) method: Option<String>,
    pub(crate) target: Option<String>,
    pub(crate) version: String,
    pub(crate) status: Option<u16>,
    pub(crate) request_body_len: Option<u64>,
    pub(crate) response_body_len: Option<u64>,
    pub(crate) request_body_blake3: Option<String>,
    pub(crate) response_body_blake3: Option<String>,
    pub(crate) complete: bool,
    pub(crate) incomplete_reason: Option<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Flow {
    pub(crate) client: String,
    pub(crate) server: String,
}

/// The last line of the output.
#[derive(Debug, Deserialize)]
pub(crate) struct Summary {
    pub(crate) packets: u64,
    pub(crate) segments: u64,
    pub(crate) skipped: BTreeMap<String, u64>,
    pub(crate) complete: u64,
    pub(crate) incomplete: BTreeMap<String, u64>,
    pub(crate) orphans: BTreeMap<String, u64>,
    pub(crate) abandoned: BTreeMap<String, u64>,
    pub(crate) shown: u64,
    pub(crate) engine: BTreeMap<String, u64>,
    pub(crate) damage: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Summary { summary: Summary },
    Row(Box<Row>),
}

/// Runs the command's code on a file; `None` when the file cannot be opened.
pub(crate) fn rows(reader: Box<dyn Read + Send>) -> Option<(Vec<Row>, Summary)> {
    let mut file = PcapFile::from_reader(reader).ok()?;
    let mut out = Vec::new();
    inspect(
        &mut file,
        Format::Json,
        &Filter::default(),
        Pace::fast(),
        &mut out,
    )
    .expect("written to memory");
    let text = String::from_utf8(out).expect("JSON is UTF-8");
    let mut rows = Vec::new();
    let mut last = None;
    for line in text.lines() {
        assert!(last.is_none(), "a line after the summary: {line}");
        match serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")) {
            Line::Row(row) => rows.push(*row),
            Line::Summary { summary } => last = Some(summary),
        }
    }
    let summary = last.expect("a summary");
    summary.adds_up(&rows);
    Some((rows, summary))
}

impl Summary {
    /// Nothing vanishes: every packet, exchange and flow is counted once.
    fn adds_up(&self, rows: &[Row]) {
        let sum = |counts: &BTreeMap<String, u64>| counts.values().sum::<u64>();
        let engine = |name: &str| {
            *self
                .engine
                .get(name)
                .unwrap_or_else(|| panic!("no counter {name}"))
        };
        let (incomplete, orphans) = (sum(&self.incomplete), sum(&self.orphans));
        assert_eq!(self.packets, self.segments + sum(&self.skipped), "{self:?}");
        assert_eq!(self.segments, engine("segments"), "{self:?}");
        assert_eq!(self.complete, engine("exchanges_complete"), "{self:?}");
        assert_eq!(incomplete, engine("exchanges_incomplete"), "{self:?}");
        assert_eq!(self.complete + incomplete, engine("exchanges"), "{self:?}");
        assert_eq!(orphans, engine("orphans"), "{self:?}");
        assert_eq!(sum(&self.abandoned), engine("flows_abandoned"), "{self:?}");
        assert_eq!(self.shown, self.complete + incomplete + orphans, "{self:?}");
        assert_eq!(rows.len() as u64, self.shown, "{self:?}");
        let complete = rows.iter().filter(|row| row.complete).count() as u64;
        assert_eq!(complete, self.complete, "{self:?}");
        for row in rows {
            assert_eq!(row.complete, row.incomplete_reason.is_none(), "{row:?}");
            assert!(
                !row.complete || row.status.is_some() && row.method.is_some(),
                "{row:?}"
            );
        }
    }
}
