//! `application/x-www-form-urlencoded` by field.

use std::borrow::Cow;

/// A name or a value without its percent-encoding, and `+` as a blank. An escape that is none stays as it is, as in
/// the URL Standard's percent-decode.
pub(crate) fn decode(text: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        let escape = if byte == b'%' {
            behind.split_at_checked(2)
        } else {
            None
        };
        match (
            byte,
            escape.and_then(|(digits, behind)| Some((hex(digits)?, behind))),
        ) {
            (_, Some((decoded, behind))) => {
                out.push(decoded);
                rest = behind;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
    }
    Cow::Owned(out)
}

fn hex(digits: &[u8]) -> Option<u8> {
    digits.iter().try_fold(0u8, |value, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some((value << 4) | u8::try_from(digit).ok()?)
    })
}
