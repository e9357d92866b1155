//! Conversion of metrics (Prometheus text, exposition format 0.0.4, and OpenMetrics) to JSON.
//!
//! An object with a member for each metric, which has its `HELP`, its `TYPE` and a member for each set of labels. So
//! the name of a metric is never taken for data, however many series there are. What a metric counts since its process
//! began (counters, histograms, summaries), and what it says of the process itself (`process_*`, `go_*` ...), is
//! different in two processes that do the same: of those series the names, types and labels are compared, and not the
//! values. Other values are floating-point numbers, however they are written.
//! Bounds: the JSON is a few times as long as the text.

use std::collections::BTreeMap;

use super::{leaves::Leaves, number, table::string};

/// Beginnings of the names by which client libraries report on their own process.
const PROCESS: [&str; 6] = ["dotnet_", "go_", "jvm_", "nodejs_", "process_", "python_"];

/// Whole numbers up to this one are exact in floating point.
const EXACT: f64 = 9e15;

/// In place of the value of a series that is not compared.
const OF_THE_PROCESS: &str = "(of the process)";

/// Metrics as JSON.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) json: Vec<u8>,
    /// Series that are compared without their values.
    pub(super) named_only: Leaves,
}

/// Metrics as JSON; `None` when a line does not conform.
pub(super) fn metrics(text: &[u8]) -> Option<Metrics> {
    let text = core::str::from_utf8(text).ok()?;
    let mut metrics: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut types: BTreeMap<&str, &str> = BTreeMap::new();
    let (mut any, mut named_only) = (false, Leaves::default());
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(comment) = line.strip_prefix('#') {
            let mut words = comment.trim_start().splitn(3, ' ');
            let (kind, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let value = words.next().unwrap_or_default();
            if kind == "TYPE" {
                types.insert(name, value);
            }
            string(value, member(kind, metrics.entry(name).or_default()));
            continue;
        }
        let Series { name, labels, value } = series(line)?;
        let out = member(&labels, metrics.entry(name).or_default());
        if is_of_the_process(name, &types) {
            named_only.add(OF_THE_PROCESS.len().saturating_add(2));
            string(OF_THE_PROCESS, out);
        } else {
            amount(value, out);
        }
        any = true;
    }
    let mut json = vec![b'{'];
    for (name, members) in metrics {
        if json.len() > 1 {
            json.push(b',');
        }
        string(name, &mut json);
        json.extend_from_slice(b":{");
        json.extend_from_slice(&members);
        json.push(b'}');
    }
    json.push(b'}');
    any.then_some(Metrics { json, named_only })
}

/// Begins a member of an object.
fn member<'o>(name: &str, out: &'o mut Vec<u8>) -> &'o mut Vec<u8> {
    if !out.is_empty() {
        out.push(b',');
    }
    string(name, out);
    out.push(b':');
    out
}

/// Writes a value: `1.5e+06` and `1500000` are the same number in two notations of one library.
fn amount(value: &str, out: &mut Vec<u8>) {
    match value.parse::<f64>() {
        Ok(whole) if whole.abs() <= EXACT && whole.fract() == 0.0 => {
            out.extend_from_slice(format!("{whole:.0}").as_bytes());
        }
        _ if number::is_number(value) => out.extend_from_slice(value.as_bytes()),
        _ => string(value, out),
    }
}

/// Whether the values of a metric are about its process: a sum since its start, by the type of its family, or by name.
fn is_of_the_process(name: &str, types: &BTreeMap<&str, &str>) -> bool {
    let suffixes = ["_total", "_created", "_bucket", "_count", "_sum"];
    let family = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
    let is_sum = |name: &str| matches!(types.get(name), Some(&("counter" | "histogram" | "summary")));
    PROCESS.iter().any(|process| name.starts_with(process)) || is_sum(name) || family.is_some_and(is_sum)
}

/// A line of Prometheus text.
struct Series<'t> {
    name: &'t str,
    /// The labels in braces, sorted.
    labels: String,
    value: &'t str,
}

fn series(line: &str) -> Option<Series<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    let end = line.find(|c| !is_name(c))?;
    let (name, rest) = line.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => labels(rest)?,
        None => (Vec::new(), rest),
    };
    let rest = rest.strip_prefix([' ', '\t'])?.trim();
    let mut words = rest.split_ascii_whitespace();
    let value = words.next()?;
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    // `took 3 ms` is prose.
    if !is_number(value) || words.next().is_some_and(|next| !is_number(next) && next != "#") {
        return None;
    }
    // A timestamp or an exemplar after the value is not part of the series, and changes each time.
    let labels = format!("{{{}}}", labels.join(","));
    Some(Series { name, labels, value })
}

/// The labels up to the closing brace, sorted, and the rest after it.
fn labels(text: &str) -> Option<(Vec<&str>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', ',']);
        if let Some(behind) = rest.strip_prefix('}') {
            labels.sort_unstable();
            return Some((labels, behind));
        }
        let open = rest.find("=\"")?.saturating_add(2);
        let mut escaped = false;
        let end = rest.get(open..)?.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        let end = open.saturating_add(end).saturating_add(1);
        labels.push(rest.get(..end)?);
        rest = rest.get(end..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(metrics: Option<Metrics>) -> Option<String> {
        metrics.map(|metrics| String::from_utf8_lossy(&metrics.json).into_owned())
    }

    #[test]
    fn series_have_their_labels_sorted() {
        let metrics_text =
            "# HELP up Whether it is up.\n# TYPE up gauge\nup{b=\"2\",a=\"x,} \\\"\"} 1 1690000000\nx NaN\n";
        assert_eq!(
            text(metrics(metrics_text.as_bytes())).as_deref(),
            Some(
                r#"{"up":{"HELP":"Whether it is up.","TYPE":"gauge","{a=\"x,} \\\"\",b=\"2\"}":1},"x":{"{}":"NaN"}}"#
            )
        );
        for none in [
            "",
            "# only\n",
            "hello world\n",
            "up{a=\"1\" 1\n",
            "1 2\n",
            "a=1&b=2",
            "took 3 ms\nrows 1",
        ] {
            assert!(metrics(none.as_bytes()).is_none(), "{none}");
        }
    }

    #[test]
    fn sums_since_a_process_began_have_no_value() {
        let lines = [
            "# TYPE hits counter",
            "hits_total{a=\"1\"} 5",
            "hits_created{a=\"1\"} 1.7e9",
            "# TYPE took histogram",
            "took_bucket{le=\"+Inf\"} 3",
            "took_sum 1.5",
            "took_count 3",
            "# TYPE process_start_time_seconds gauge",
            "process_start_time_seconds 1.7e9",
            "# TYPE users gauge",
            "# TYPE bytes gauge",
            "bytes 1.5e+06",
            "users 7",
            "other_total 8",
        ];
        let found = metrics(lines.join("\n").as_bytes()).unwrap_or_default();
        assert_eq!(found.named_only.leaves, 6);
        let json: serde_json::Value = serde_json::from_slice(&found.json).unwrap_or_default();
        let of_it = serde_json::json!(OF_THE_PROCESS);
        assert_eq!(json["hits_total"]["{a=\"1\"}"], of_it);
        assert_eq!(json["took_bucket"]["{le=\"+Inf\"}"], of_it);
        assert_eq!(json["process_start_time_seconds"]["{}"], of_it);
        assert_eq!(json["users"]["{}"], 7);
        assert_eq!(json["bytes"]["{}"], 1_500_000);
        assert_eq!(json["other_total"]["{}"], 8);
    }
}
