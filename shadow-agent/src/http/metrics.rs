//! All counters of the agent, in the text formats of Prometheus and OpenMetrics.
//!
//! Read from one [`Status`] at each scrape: there is no second set of counters that could disagree with `shadow
//! status`. Every reason is exported from the start with a zero, so that a rate over it is right when it first happens.

use std::fmt::{self, Write as _};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, NoLabelSet, text},
    metrics::MetricType,
    registry::Registry,
};
use shadow_common::stat::Stat;
use shadow_core::evidence::report::Funnel;
use shadow_proto::engine::Counters;

use crate::{
    capture::namespaces::Blind,
    control::status::Status,
    journal::{Lost, State},
};

/// One latency histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    /// The target it was measured for.
    pub target: String,
    /// `production` or `shadow`.
    pub system: &'static str,
    /// `first_byte` or `whole`: from the last request byte on.
    pub span: &'static str,
    /// Sum of all, in seconds.
    pub sum: f64,
    /// How many fell into each bucket of [`LATENCY_BOUNDS`], and above the last one.
    pub counts: Vec<u64>,
}

/// The figures of one scrape.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// All counters and gauges.
    pub status: Status,
    /// The latency of both systems.
    pub latencies: Vec<Latency>,
    /// Reports that could not be saved.
    pub report_failures: u64,
}

/// The requested text format.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// `text/plain; version=0.0.4`
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`
    OpenMetrics,
}

impl Format {
    /// The format requested by an `Accept` field.
    pub fn accepted(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") {
            Self::OpenMetrics
        } else {
            Self::Prometheus
        }
    }

    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Writes all metrics.
pub fn encode(figures: Figures, format: Format) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("shadow");
    registry.register_collector(Box::new(Scrape(figures)));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(match format {
        Format::OpenMetrics => text,
        Format::Prometheus => classic(&text),
    })
}

/// OpenMetrics names a counter without its `_total`; the older format names it as its samples do, and knows neither
/// `# UNIT` nor `# EOF`.
fn classic(text: &str) -> String {
    let counters: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut classic = String::with_capacity(text.len());
    for line in text.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            classic.push_str(line);
            classic.push('\n');
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(kind @ ("HELP" | "TYPE")), Some(name), Some(rest)) =
            (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let total = if counters.contains(&name) { "_total" } else { "" };
        // Writing to a string cannot fail.
        writeln!(classic, "# {kind} {name}{total} {rest}").unwrap_or_default();
    }
    classic
}

#[derive(Debug)]
struct Scrape(Figures);

impl Collector for Scrape {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Figures {
            status,
            latencies,
            report_failures,
        } = &self.0;
        let mut out = Writer(&mut encoder);
        out.agent(status, *report_failures)?;
        out.kernel(&status.funnel)?;
        out.engine(&status.funnel.engine)?;
        out.ring(status)?;
        out.queues(&status.lanes)?;
        out.journal(status.journal.as_ref())?;
        out.verdicts(&status.lanes)?;
        out.latencies(latencies)
    }
}

pub(super) struct Writer<'a, 'b>(pub(super) &'a mut DescriptorEncoder<'b>);

impl Writer<'_, '_> {
    fn agent(&mut self, status: &Status, report_failures: u64) -> fmt::Result {
        let build = [("version", status.version.as_str())];
        self.0
            .encode_descriptor("build_info", "The running version", None, MetricType::Gauge)?
            .encode_family(&build)?
            .encode_gauge(&1u64)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "milliseconds of a process stay far below 2^52"
        )]
        let uptime = status.uptime_ms as f64 / 1000.0;
        self.measure("uptime_seconds", "Time since the agent started", uptime)?;
        self.gauge(
            "armed",
            "Whether the kernel program may copy packets: 0 after a kill",
            u64::from(status.armed),
        )?;
        self.measure(
            "sample_ratio",
            "Share of connections that are mirrored",
            status.sample,
        )?;
        self.measure(
            "budget_ratio",
            "Part of the sample that the node budget allows",
            status.budget_share,
        )?;
        self.counter(
            "trips",
            "What the agent did by itself: breakers, budget, rules",
            status.trips_total,
        )?;
        let interfaces = status.interfaces.len() as u64;
        self.gauge(
            "interfaces",
            "Interfaces with the kernel program on them",
            interfaces,
        )?;
        self.hooks(status)?;
        self.namespaces(status)?;
        self.gauge(
            "warnings",
            "Things that do not work as they should; `shadow status` names them",
            status.warnings.len() as u64,
        )?;
        self.counter(
            "report_failures",
            "Reports that could not be written to the state folder",
            report_failures,
        )
    }

    fn namespaces(&mut self, status: &Status) -> fmt::Result {
        let help =
            "Mirrored network namespaces by what is seen of them: seen, or a reason for the last minute";
        let mut family = self
            .0
            .encode_descriptor("namespaces", help, None, MetricType::Gauge)?;
        for state in ["seen"].into_iter().chain(Blind::ALL) {
            let here = status
                .namespaces
                .iter()
                .filter(|one| one.blind.as_deref().unwrap_or("seen") == state);
            family
                .encode_family(&[("state", state)])?
                .encode_gauge(&(here.count() as u64))?;
        }
        Ok(())
    }

    fn hooks(&mut self, status: &Status) -> fmt::Result {
        let hooks = || {
            status
                .interfaces
                .iter()
                .flat_map(|at| [&at.before_ingress, &at.before_egress])
        };
        self.gauge(
            "hooks_behind_others",
            "Hooks at which other programs run before the capture and may hide packets from it",
            hooks()
                .filter(|before| before.as_ref().is_some_and(|names| !names.is_empty()))
                .count() as u64,
        )?;
        self.gauge(
            "hooks_unknown",
            "Hooks of which it is not known whether other programs run before the capture",
            hooks().filter(|before| before.is_none()).count() as u64,
        )
    }

    fn kernel(&mut self, funnel: &Funnel) -> fmt::Result {
        let get = |stat: Stat| funnel.kernel(stat);
        self.counter(
            "kernel_seen_packets",
            "Packets the kernel program looked at",
            get(Stat::Seen),
        )?;
        let fates = Stat::fates().map(|stat| ([("fate", stat.as_str())], get(stat)));
        self.counters(
            "kernel_packets",
            "Packets by what the kernel program did with them",
            fates,
        )?;
        self.counter(
            "kernel_truncated_packets",
            "Emitted packets whose tail was too long to copy",
            get(Stat::Truncated),
        )?;
        self.counter(
            "kernel_records",
            "Records written into the ring",
            get(Stat::Chunks),
        )
    }

    fn engine(&mut self, engine: &Counters) -> fmt::Result {
        for (name, help, count) in engine.iter() {
            self.counter(&format!("engine_{name}"), help.trim_end_matches('.'), count)?;
        }
        let reasons = engine
            .incomplete()
            .map(|(reason, count)| ([("reason", reason.as_str())], count));
        self.counters("incomplete_exchanges", "Incomplete exchanges by reason", reasons)
    }

    fn ring(&mut self, status: &Status) -> fmt::Result {
        let ring = &status.ring;
        self.gauge(
            "ring_size_bytes",
            "Size of the ring between kernel and agent",
            ring.bytes,
        )?;
        self.gauge(
            "ring_waiting_bytes",
            "The most bytes that waited in the ring at once within the last second",
            ring.waiting,
        )?;
        self.counter("ring_read_records", "Records read from the ring", ring.records)?;
        self.counter(
            "ring_undecodable_records",
            "Records of another version of the kernel program",
            ring.undecodable,
        )
    }

    fn journal(&mut self, journal: Option<&State>) -> fmt::Result {
        let none = State::default();
        let State {
            path: _,
            bytes,
            written,
            dropped_busy,
            dropped_full,
            dropped_failed,
            failing,
        } = journal.unwrap_or(&none);
        self.gauge("journal_size_bytes", "Bytes in use in the journal", *bytes)?;
        self.gauge(
            "journal_failing",
            "Whether the journal cannot be written at present",
            u64::from(failing.is_some()),
        )?;
        self.counter("journal_entries", "Entries written into the journal", *written)?;
        let dropped = Lost::ALL.map(|why| {
            let count = match why {
                Lost::Busy => dropped_busy,
                Lost::Full => dropped_full,
                Lost::Failed => dropped_failed,
            };
            ([("reason", why.as_str())], *count)
        });
        self.counters(
            "journal_dropped_entries",
            "Entries that did not reach the journal, by reason",
            dropped,
        )
    }

    pub(super) fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, u64, f64>(&value, None)
    }

    pub(super) fn counters<L: EncodeLabelSet, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in values {
            family
                .encode_family(&labels)?
                .encode_counter::<NoLabelSet, V, f64>(&value, None)?;
        }
        Ok(())
    }

    pub(super) fn gauges<L: EncodeLabelSet, V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: impl IntoIterator<Item = (L, V)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in values {
            family.encode_family(&labels)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }

    pub(super) fn measure(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.0
            .encode_descriptor(name, help, None, MetricType::Gauge)?
            .encode_gauge(&value)
    }
}

/// Upper bounds of the latency buckets, in seconds.
pub const LATENCY_BOUNDS: [f64; 14] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];
