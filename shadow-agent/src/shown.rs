//! Text for terminals and logs: nothing in it can move the cursor, give a command, or change the order of what is read.
//!
//! Owns: which characters are escaped, and how. Everything that is printed passes [`screened`] last, so no part of the
//! agent has to track which text is foreign. The escape is that of JSON, so a JSON text keeps its value.

use std::{
    borrow::Cow,
    io::{self, Write},
};

/// Whether a terminal could obey a character instead of showing it, or hide it: control characters (C0, DEL, C1), those
/// that change the direction of text, and those of zero width.
pub fn is_unsafe(char: char) -> bool {
    char.is_control()
        || matches!(
            char,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text of several lines, with every unsafe character but line feeds and tabs as `\u` and four hexadecimal digits.
pub fn screened(text: &str) -> Cow<'_, str> {
    let is_escaped = |char: char| is_unsafe(char) && !matches!(char, '\n' | '\t');
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_escaped(char) {
            escape(char, &mut shown);
        } else {
            shown.push(char);
        }
    }
    Cow::Owned(shown)
}

/// The same on one line.
pub fn line(text: &str) -> String {
    screened(&text.trim_end().replace('\n', "; ")).into_owned()
}

/// Writes an unsafe character as JSON does, by its UTF-16 code units.
fn escape(char: char, into: &mut String) {
    use std::fmt::Write as _;
    for unit in char.encode_utf16(&mut [0; 2]) {
        // Writing to a String cannot fail.
        write!(into, "\\u{unit:04x}").unwrap_or_default();
    }
}

/// A line on standard error, after the name of the program.
pub fn complain(text: &str) {
    // There may be no reader, which is not a reason to end.
    drop(writeln!(io::stderr().lock(), "shadow: {}", line(text)));
}

/// Screens text that is written. The escapes of colours, as the agent's own tables and log lines use them, pass if
/// `colours` is set; captured text in them was escaped before.
#[derive(Debug)]
pub struct Screen<W> {
    out: W,
    /// The beginning of a character whose rest is not written yet.
    held: Vec<u8>,
    colours: bool,
}

impl<W: Write> Screen<W> {
    /// Screens the output to `out`.
    pub fn new(out: W, colours: bool) -> Self {
        Self {
            out,
            held: Vec::new(),
            colours,
        }
    }

    fn pass(&mut self, text: &str) -> io::Result<()> {
        if !self.colours {
            return self.out.write_all(screened(text).as_bytes());
        }
        let mut rest = text;
        while let Some(at) = rest.find("\u{1b}[") {
            let (before, sequence) = rest.split_at(at);
            self.out.write_all(screened(before).as_bytes())?;
            let is_part = |byte: &u8| byte.is_ascii_digit() || *byte == b';';
            let len = 2 + sequence.bytes().skip(2).take_while(is_part).count();
            let colour = sequence.get(..len + 1).filter(|colour| colour.ends_with('m'));
            // An escape that is not a colour is escaped from its first character on.
            let (shown, behind) = match colour {
                Some(colour) => (Cow::Borrowed(colour), &sequence[len + 1..]),
                None => (screened("\u{1b}"), &sequence[1..]),
            };
            self.out.write_all(shown.as_bytes())?;
            rest = behind;
        }
        self.out.write_all(screened(rest).as_bytes())
    }
}

impl<W: Write> Write for Screen<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(bytes);
        // At most the three first bytes of a character wait.
        let keep = match std::str::from_utf8(&all) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => all.len(),
        };
        self.held = all.split_off(keep);
        self.pass(&String::from_utf8_lossy(&all))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2J\u{7f}\u{9b}1m\u{202e}\u{2066}\u{61c}\u{feff}\u{e0041}\r\u{8}z";

    #[test]
    fn what_a_terminal_could_obey_is_escaped_and_json_keeps_its_value() {
        assert_eq!(
            screened(HOSTILE),
            "a\\u001b[2J\\u007f\\u009b1m\\u202e\\u2066\\u061c\\ufeff\\udb40\\udc41\\u000d\\u0008z"
        );
        let value = serde_json::json!({HOSTILE: [HOSTILE, "Grüße, 日本\n"]});
        for text in [value.to_string(), format!("{value:#}")] {
            let shown = screened(&text);
            let is_safe = |char: char| char == '\n' || !is_unsafe(char);
            assert!(shown.chars().all(is_safe), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
        assert!(matches!(screened("Grüße,\tall\nof you"), Cow::Borrowed(_)));
        assert_eq!(line("one\ntwo\u{9b}\n"), "one; two\\u009b");
    }

    #[test]
    fn a_screened_writer_sees_characters_that_come_in_pieces() {
        for colours in [false, true] {
            let mut out = Vec::new();
            let mut screen = Screen::new(&mut out, colours);
            for byte in "ü\u{9b}日\u{202e}\u{1b}[2J\u{1b}[31m!".bytes() {
                screen.write_all(&[byte]).unwrap();
            }
            // A colour that comes in pieces is not recognized.
            assert_eq!(
                String::from_utf8(out).unwrap(),
                "ü\\u009b日\\u202e\\u001b[2J\\u001b[31m!"
            );
        }
        let mut out = Vec::new();
        write!(
            &mut Screen::new(&mut out, true),
            "\u{1b}[2;31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;x\u{7}"
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "\u{1b}[2;31mred\u{1b}[0m\\u001b[2J\\u001b]0;x\\u0007"
        );
    }
}
