//! Formatting of numbers, shares, times and captured text.

use std::time::Duration;

use shadow_core::evidence::{Proportion, Unread};

use crate::shown::is_unsafe;

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `99.95 %`. Never `100 %` for a smaller share, nor `0 %` for a larger one.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.3}", share * 100.0);
    match text.trim_end_matches('0').trim_end_matches('.') {
        "100" if share < 1.0 => "> 99.999 %".to_owned(),
        "0" if share > 0.0 => "< 0.001 %".to_owned(),
        text => format!("{text} %"),
    }
}

/// `99.9 % (1,998 of 2,000; 95 % interval 99.64 % to 99.97 %)`, or `unknown` if the total is zero. An exact share has
/// no interval.
pub(crate) fn proportion(share: &Proportion) -> String {
    let Proportion {
        successes,
        trials,
        rate,
        low,
        high,
    } = share;
    let (Some(rate), Some(low), Some(high)) = (rate, low, high) else {
        return "unknown: nothing was compared yet".to_owned();
    };
    let interval = if low < high {
        format!("; 95 % interval {} to {}", percent(*low), percent(*high))
    } else {
        String::new()
    };
    format!(
        "{} ({} of {}{interval})",
        percent(*rate),
        count(*successes),
        count(*trials),
    )
}

pub(crate) use shadow_core::evidence::micros;

/// `57 (95 % interval 50 to 80)`; `None` if everything was read.
pub(crate) fn unread(unread: &Unread) -> Option<String> {
    let Unread { low, exchanges, high } = *unread;
    (high > 0).then(|| {
        format!(
            "{} (95 % interval {} to {})",
            count(exchanges),
            count(low),
            count(high)
        )
    })
}

/// `1h 2m 3s`.
pub(crate) fn span(span: Duration) -> String {
    humantime::format_duration(Duration::from_secs(span.as_secs())).to_string()
}

/// `32 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    bytesize::ByteSize::b(bytes).display().iec().to_string()
}

/// A rate a second: `1,234/s`.
pub(crate) fn rate(per_second: f64) -> String {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rates are small and positive"
    )]
    let whole = per_second.round() as u64;
    format!("{}/s", count(whole))
}

/// Captured text on one line, with control characters escaped, cut after `most` characters.
pub(crate) fn captured(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut chars = text.chars();
    for char in chars.by_ref().take(most) {
        if is_unsafe(char) {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    if chars.next().is_some() {
        shown.push_str(" ...");
    }
    shown
}
