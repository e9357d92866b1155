//! Rows of cells (RFC 4180), separated by commas, semicolons or tabs. A cell is judged by the name of its column, and
//! by a name in the cell before it.

use super::{Redactor, beside::KnownSecrets, json::GROWTH, judge::Says};

/// Columns whose names are remembered.
const MAX_COLUMNS: usize = 1024;

/// Copies `text` without its secrets, until `shown` bytes of it are read, and returns whether something is left out.
pub(super) fn replace(
    text: &str,
    shown: usize,
    redactor: &Redactor,
    secrets: &mut KnownSecrets,
) -> (String, bool) {
    let separator = separator(text);
    let mut out = String::new();
    let mut columns: Vec<Says> = Vec::new();
    let (mut first_row, mut column, mut before) = (true, 0usize, Says::Nothing);
    let mut rest = text;
    while !rest.is_empty() {
        let read = text.len().saturating_sub(rest.len());
        if read >= shown || out.len() > shown.saturating_mul(GROWTH) {
            return (out, true);
        }
        let (cell, after) = rest.split_at_checked(cell(rest, separator)).unwrap_or((rest, ""));
        let plain = unquoted(cell);
        let own = redactor.names.document(plain.trim());
        let said = if first_row {
            if columns.len() < MAX_COLUMNS {
                columns.push(own);
            }
            // A row of names, unless it is one name with its value.
            let ends = after.is_empty() || after.starts_with(['\r', '\n']);
            let pair = column == 1 && ends;
            if pair { before } else { Says::Nothing }
        } else {
            columns
                .get(column)
                .map_or(Says::Nothing, |says| *says)
                .max(before)
        };
        if said.hides(&plain) {
            secrets.add(&plain);
        }
        write(cell, &plain, said, redactor, &mut out);
        before = if own.is_strong() { own } else { Says::Nothing };
        let end = after.chars().next();
        let (mark, after) = after
            .split_at_checked(end.map_or(0, char::len_utf8))
            .unwrap_or((after, ""));
        out.push_str(mark);
        rest = after;
        column = column.saturating_add(1);
        if matches!(end, Some('\r' | '\n')) {
            (first_row, column, before) = (false, 0, Says::Nothing);
        }
    }
    (out, false)
}

/// The most frequent one in the first line.
fn separator(text: &str) -> char {
    let line = text.lines().next().unwrap_or_default();
    let often = |separator: &char| line.matches(*separator).count();
    [';', '\t', ','].into_iter().max_by_key(often).unwrap_or(',')
}

/// The length of the first cell of the text.
fn cell(text: &str, separator: char) -> usize {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '\r' | '\n' if !quoted => return at,
            c if c == separator && !quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(cell: &str) -> String {
    let inner = cell
        .strip_prefix('"')
        .map(|rest| rest.strip_suffix('"').unwrap_or(rest));
    inner.map_or_else(|| cell.to_owned(), |inner| inner.replace("\"\"", "\""))
}

fn write(cell: &str, plain: &str, says: Says, redactor: &Redactor, out: &mut String) {
    let redacted = if says.hides(plain) {
        redactor.hash(plain.trim())
    } else {
        redactor.value(plain, usize::MAX)
    };
    if redacted == plain {
        out.push_str(cell);
    } else if cell.starts_with('"') {
        out.push('"');
        out.push_str(&redacted.replace('"', "\"\""));
        out.push('"');
    } else {
        out.push_str(&redacted);
    }
}

#[cfg(test)]
mod tests {
    use crate::redact::{RedactConfig, Redactor};
    use shadow_proto::exchange::{Body, Headers};

    fn redacted(text: &str) -> String {
        let headers = Headers::from_pairs([("Content-Type", "text/csv")]);
        let body = Body::whole(text.as_bytes().to_vec());
        let redactor = Redactor::new([7; 32], &RedactConfig::default());
        redactor.body(&headers, &body, 1 << 16).text.expect("text")
    }

    #[test]
    fn a_cell_is_judged_by_its_column_and_by_the_cell_before() {
        for text in [
            "user,password,city\nann,hunter2,Bern\nbob,hunter2,Basel\n",
            "user;password\r\nann;\"hunter2 \"\"x\"\"\"\r\n",
            "user\tpassword\nann\thunter2",
            "name,value\ncolour,blue\ndb_password,hunter2\n",
            "password,hunter2\n",
            "\"password\",\"a\nhunter2\"",
        ] {
            let redacted = redacted(text);
            assert!(!redacted.contains("hunter2"), "{redacted}");
            assert!(redacted.contains("[redacted:"), "{redacted}");
        }
    }

    #[test]
    fn other_cells_stay_as_they_were_written() {
        let text = "user,password,\"token_count\"\nann,,3\n\"b,\"\"o\"\"b\",null,4\n";
        assert_eq!(redacted(text), text);
        let names = "id,password,email,city\n";
        assert_eq!(redacted(names), names);
    }
}
