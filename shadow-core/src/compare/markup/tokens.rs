//! A tokenizer by the HTML standard whose stack does not grow with the text.
//!
//! html5gum 0.9.0 is a state machine whose states return to one loop, except for some that call the next state. These
//! calls form one cycle: before an attribute's name, the name, before its value, the value in double quotes, after that
//! value, and, when a blank follows, before the next name. So the stack grows only with consecutive attributes in
//! double quotes in one tag: the other calls between states end after three, and text, comments, document types, CDATA
//! and character references are read in loops. [`Counted`] counts each turn of that cycle and each return to the loop.
//! After [`MAX_CHAIN`] turns [`Input`] writes `/` for the blank after a value: the machine then returns, and between
//! attributes `/` is ignored like a blank (section 13.2.5.40). It would be significant only before `>`, and there the
//! cycle ends by itself. `Cargo.toml` pins the exact version, because this holds only for that one.

use core::cell::Cell;
use std::{convert::Infallible, rc::Rc};

use html5gum::{
    DefaultEmitter, Emitter, ForwardingEmitter, Readable as _, Reader, SpanBound, StringReader, Token,
    Tokenizer,
};

/// Attributes that are read before the state machine returns to its loop.
const MAX_CHAIN: u32 = 16;

/// The tokens of a text.
pub(crate) fn tokens<S: SpanBound>(text: &[u8]) -> impl Iterator<Item = Token<S>> {
    let chain = Rc::new(Cell::new(0));
    let mut inner = DefaultEmitter::new_with_span();
    inner.naively_switch_states(true);
    let input = Input {
        inner: text.to_reader(),
        rest: text,
        after_quote: false,
        chain: Rc::clone(&chain),
    };
    Tokenizer::new_with_emitter(input, Counted { inner, chain }).map(|token| {
        // Reading from memory does not fail.
        let Ok(token) = token;
        token
    })
}

/// Makes tokens, and counts the attributes begun since the state machine last returned.
#[derive(Debug)]
struct Counted<S: SpanBound> {
    inner: DefaultEmitter<S>,
    chain: Rc<Cell<u32>>,
}

impl<S: SpanBound> ForwardingEmitter for Counted<S> {
    type Token = Token<S>;

    fn inner(&mut self) -> &mut impl Emitter<Token = Self::Token> {
        &mut self.inner
    }

    fn init_attribute(&mut self) {
        self.chain.set(self.chain.get().saturating_add(1));
        Emitter::init_attribute(&mut self.inner);
    }

    /// The tokenizer asks for tokens on every turn of its loop, and nowhere else.
    fn pop_token(&mut self) -> Option<Self::Token> {
        self.chain.set(0);
        Emitter::pop_token(&mut self.inner)
    }
}

/// The text, with `/` instead of a blank where the chain must end.
#[derive(Debug)]
struct Input<'t> {
    inner: StringReader<'t>,
    /// The part that `inner` has not yet read.
    rest: &'t [u8],
    /// The last byte read is a quote. In a chain it closes a value when the next read is of one byte: a quote in a name
    /// is followed by a longer read, and so is one that opens a value.
    after_quote: bool,
    chain: Rc<Cell<u32>>,
}

impl Input<'_> {
    fn advance(&mut self, len: usize) {
        self.rest = self.rest.get(len..).unwrap_or_default();
    }

    fn ends_chain(&self) -> bool {
        self.after_quote
            && self.chain.get() >= MAX_CHAIN
            && matches!(self.rest, [b' ' | b'\t' | b'\n' | b'\x0c' | b'\r', next, ..] if *next != b'>')
    }
}

impl Reader for Input<'_> {
    type Error = Infallible;

    fn read_byte(&mut self) -> Result<Option<u8>, Self::Error> {
        let ends_chain = self.ends_chain();
        let Ok(byte) = self.inner.read_byte();
        self.after_quote = false;
        self.advance(1);
        Ok(byte.map(|byte| if ends_chain { b'/' } else { byte }))
    }

    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Self::Error> {
        let Ok(found) = self.inner.try_read_string(text, case_sensitive);
        if found {
            self.after_quote = false;
            self.advance(text.len());
        }
        Ok(found)
    }

    fn read_until<'b>(
        &'b mut self,
        needle: &[u8],
        buffer: &'b mut [u8; 4],
    ) -> Result<Option<&'b [u8]>, Self::Error> {
        let Ok(read) = self.inner.read_until(needle, buffer);
        let len = read.map_or(0, <[u8]>::len);
        self.after_quote = read == Some(b"\"");
        self.rest = self.rest.get(len..).unwrap_or_default();
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More than the chain allows, and fewer than could overflow the stack without a bound.
    const MANY: usize = 100;

    fn tag(attributes: usize, blank: &str, end: &str) -> String {
        let attribute = |number| format!("{blank}a{number}=\"v>{number}\"");
        let attributes: String = (0..attributes).map(attribute).collect();
        format!("<p{attributes}{end}x</p>")
    }

    fn on_small_stack<T: Send>(run: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let small = std::thread::Builder::new().stack_size(192 << 10);
            let thread = small.spawn_scoped(scope, run).expect("a thread");
            thread.join().expect("it ends")
        })
    }

    #[test]
    fn a_tag_with_many_attributes_is_read_as_any_other() {
        let most = usize::try_from(MAX_CHAIN).expect("small");
        for blank in [" ", "\n", "\r\n", "  \t", "\x0c", "/", " / "] {
            for end in [">", " >", "/>", " />", "\r\n>", " b>", " b=1 />"] {
                for attributes in [1, most - 1, most, most + 1, 2 * most, MANY] {
                    let text = tag(attributes, blank, end);
                    let read: Vec<Token<usize>> = on_small_stack(|| {
                        tokens(text.as_bytes())
                            .filter(|token| !matches!(token, Token::Error(_)))
                            .collect()
                    });
                    let mut emitter = DefaultEmitter::new_with_span();
                    emitter.naively_switch_states(true);
                    let known: Vec<_> = Tokenizer::new_with_emitter(&text, emitter)
                        .map(|token| token.expect("memory"))
                        .filter(|token| !matches!(token, Token::Error(_)))
                        .collect();
                    assert_eq!(read, known, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn nothing_but_attributes_takes_stack() {
        // Each piece repeated many times, alone and inside each possible context.
        let pieces = [
            "<p>",
            "</p>",
            "<",
            "</",
            "<!",
            "<!-",
            "<!--",
            "-->",
            "<?",
            "&",
            "&amp;",
            "&#x;",
            "&#1",
            "]]>",
            "\0",
            "\r\n",
            "<![CDATA[",
            "<!DOCTYPE ",
            "\"",
            "'",
            "=",
            "/",
            " a",
            " a=",
            " a='b'",
            " a=b",
            "a=\"&amp;\"",
            "<script>",
            "</script ",
            "<!--<script",
            "<title>",
            "x",
            "é",
        ];
        let around = [
            "",
            "<p ",
            "<p a=\"",
            "<p a='",
            "<!--",
            "<!DOCTYPE ",
            "<script>",
            "<title>",
            "<![CDATA[",
        ];
        let all = move || {
            for before in around {
                for piece in pieces {
                    let text = format!("{before}{}", piece.repeat(5_000));
                    tokens::<usize>(text.as_bytes()).for_each(drop);
                }
            }
        };
        on_small_stack(all);
    }
}
