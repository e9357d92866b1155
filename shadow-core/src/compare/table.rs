//! Conversion of tables to JSON, so that rows are aligned and rules apply as in JSON.
//!
//! Comma- or tab-separated values (RFC 4180) are an array of rows: objects when the first row names the columns,
//! otherwise arrays.
//! Bounds: the JSON is at most [`GROWTH`] times as long as the text; a text over that is compared by line.

use std::borrow::Cow;

/// Largest ratio of the length of the JSON to that of the text.
const GROWTH: usize = 16;

/// Rows that are checked to recognise a table.
const SNIFFED: usize = 50;

/// Columns of a table.
const MAX_COLUMNS: usize = 1024;

/// A table as JSON; `None` when the text is not a table, or over a bound.
pub(super) fn csv(text: &[u8], separator: u8) -> Option<Vec<u8>> {
    let text = core::str::from_utf8(text).ok()?;
    let mut rows = Rows {
        rest: text,
        separator: char::from(separator),
    };
    let first = rows.next()?;
    if first.len() < 2 || first.len() > MAX_COLUMNS {
        return None;
    }
    let named = is_header(&first);
    let most = text.len().saturating_mul(GROWTH).saturating_add(1024);
    let mut out = vec![b'['];
    let mut write = |cells: &[Cow<'_, str>]| {
        if out.len() > 1 {
            out.push(b',');
        }
        row(cells, named.then_some(&first), &mut out);
        out.len() <= most
    };
    if !named && !write(&first) {
        return None;
    }
    for cells in rows {
        if cells.len() > MAX_COLUMNS || !write(&cells) {
            return None;
        }
    }
    out.push(b']');
    Some(out)
}

/// The separator of the first line: the most frequent of comma, semicolon and tab.
pub(super) fn separator(text: &[u8]) -> u8 {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |separator: u8| memchr::memchr_iter(separator, line).count();
    [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|separator| count(*separator))
        .unwrap_or(b',')
}

/// Whether a text without a type is certainly a table: a row of names, and at least two more with as many cells.
pub(super) fn looks_like_table(text: &str) -> bool {
    let mut rows = Rows {
        rest: text,
        separator: char::from(separator(text.as_bytes())),
    };
    let Some(first) = rows.next().filter(|first| first.len() > 1 && is_header(first)) else {
        return false;
    };
    let word = |name: &Cow<'_, str>| name.len() <= 64 && !name.contains([' ', '=', '{', '<', '"']);
    let mut more = 0usize;
    let alike = rows.take(SNIFFED).all(|row| {
        more = more.saturating_add(1);
        row.len() == first.len()
    });
    first.iter().all(word) && alike && more > 1
}

/// Whether a first row names columns: distinct texts.
fn is_header(cells: &[Cow<'_, str>]) -> bool {
    let mut names: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    names.sort_unstable();
    let text = |name: &&str| !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    names.iter().all(text) && names.is_sorted_by(|a, b| a < b)
}

fn row(cells: &[Cow<'_, str>], names: Option<&Vec<Cow<'_, str>>>, out: &mut Vec<u8>) {
    out.push(if names.is_some() { b'{' } else { b'[' });
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        if let Some(names) = names {
            // A cell without a column is named by its number.
            match names.get(at) {
                Some(name) => string(name, out),
                None => string(&format!("column {}", at.saturating_add(1)), out),
            }
            out.push(b':');
        }
        string(cell, out);
    }
    out.push(if names.is_some() { b'}' } else { b']' });
}

/// Writes a JSON string.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    serde_json::to_writer(&mut *out, text).unwrap_or_default();
}

struct Rows<'t> {
    rest: &'t str,
    separator: char,
}

impl<'t> Iterator for Rows<'t> {
    type Item = Vec<Cow<'t, str>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut cells = Vec::new();
        loop {
            let (cell, behind) = self.cell();
            cells.push(cell);
            if cells.len() > MAX_COLUMNS {
                // The caller gives up.
                self.rest = "";
                return Some(cells);
            }
            if let Some(rest) = behind.strip_prefix(self.separator) {
                self.rest = rest;
                continue;
            }
            let rest = behind.strip_prefix('\r').unwrap_or(behind);
            self.rest = rest.strip_prefix('\n').unwrap_or(rest);
            return Some(cells);
        }
    }
}

impl<'t> Rows<'t> {
    /// A cell, and the rest after it.
    fn cell(&self) -> (Cow<'t, str>, &'t str) {
        let ends = [self.separator, '\r', '\n'];
        let Some(mut rest) = self.rest.strip_prefix('"') else {
            let end = self.rest.find(ends).unwrap_or(self.rest.len());
            let (cell, behind) = self.rest.split_at(end);
            return (Cow::Borrowed(cell), behind);
        };
        let mut cell = String::new();
        loop {
            let Some((part, behind)) = rest.split_once('"') else {
                // The quote is not closed: the rest is one cell.
                cell.push_str(rest);
                return (Cow::Owned(cell), "");
            };
            cell.push_str(part);
            if let Some(more) = behind.strip_prefix('"') {
                cell.push('"');
                rest = more;
                continue;
            }
            // Text between the quote and the separator belongs to the cell.
            let end = behind.find(ends).unwrap_or(behind.len());
            let (more, behind) = behind.split_at(end);
            cell.push_str(more);
            return (Cow::Owned(cell), behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: Option<Vec<u8>>) -> Option<String> {
        json.map(|json| String::from_utf8_lossy(&json).into_owned())
    }

    #[test]
    fn rows_have_names_when_the_first_one_has_them() {
        for (table, separator, json) in [
            (
                "id,name\n1,a\n2,b\n",
                b',',
                r#"[{"id":"1","name":"a"},{"id":"2","name":"b"}]"#,
            ),
            ("1;2\r\n3;4", b';', r#"[["1","2"],["3","4"]]"#),
            (
                "a\tb\n\"x \"\"y\"\"\"\t\"1\n2\"\n",
                b'\t',
                r#"[{"a":"x \"y\"","b":"1\n2"}]"#,
            ),
            (
                "a,b\n1\n1,2,3\n",
                b',',
                r#"[{"a":"1"},{"a":"1","b":"2","column 3":"3"}]"#,
            ),
            ("a,b\n\"open,1\n", b',', r#"[{"a":"open,1\n"}]"#),
        ] {
            assert_eq!(super::separator(table.as_bytes()), separator, "{table}");
            assert_eq!(
                text(csv(table.as_bytes(), separator)).as_deref(),
                Some(json),
                "{table}"
            );
        }
        assert_eq!(csv(b"one column\nx\n", b','), None);
        let wide = [vec![b'a'; 4096], b",b\n".to_vec(), b"1,2\n".repeat(10_000)].concat();
        assert_eq!(csv(&wide, b','), None);
    }

    #[test]
    fn tables_without_a_type_are_known() {
        for table in ["id,name\n1,a\n2,b\n", "a\tb\tc\n1\t2\t3\n4\t5\t6"] {
            assert!(looks_like_table(table), "{table}");
        }
        for other in [
            "id,name\n1,a\n",
            "Dear Ann,\nthis, and, that,\nx\n",
            "a,b\n1,2\n3\n",
            "1,2\n3,4\n5,6\n",
        ] {
            assert!(!looks_like_table(other), "{other}");
        }
    }
}
